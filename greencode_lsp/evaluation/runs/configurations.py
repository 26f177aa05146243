"""What is run on every example: profiles, the controls that a policy must beat, and peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from greencode_lsp.completion.profiles import Profile, ProfileError, resolve_profile
from greencode_lsp.errors import UserError
from greencode_lsp.evaluation.benchmark.peers import make_peer
from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.runs.decoding import Configuration
from greencode_lsp.evaluation.runs.engine_decoder import EngineDecoder, ForcedTexts
from greencode_lsp.evaluation.runs.matching import (
    MATCHED_EXAMPLES,
    confidence_policy,
    confidence_threshold,
    mean_depth,
    random_policy,
    random_probability,
)
from greencode_lsp.evaluation.runs.opened import OpenedBundle
from greencode_lsp.evaluation.runs.peer_decoder import PeerDecoder
from greencode_lsp.evaluation.runs.prefill import SharedPrompts
from greencode_lsp.evaluation.runs.propagation import PropagatingDecoder
from greencode_lsp.evaluation.suites.example import Example
from greencode_lsp.policy import FixedExit, NeverExit, Policy

PROFILES = ("full", "exact", "balanced", "eco")
CONTROLS = ("exits", "fixed", "random", "confidence", "propagate", "original")
QUICK_CONTROLS = tuple(name for name in CONTROLS if name != "propagate")
"""Those that run on the engine. `propagate` runs in plain floats, on a CPU as long as all others together."""

MATCHED_PROFILES = ("balanced", "eco")

UNCHANGED = "the weights before training changed them"

UNMATCHED_SHARE = 0.75
"""The mean depth of random and confidence, as a share of all layers, where no profile exits."""


@dataclass
class Chosen:
    """Configurations, and a line for each that this bundle cannot run."""

    configurations: list[Configuration] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """Which configurations to run."""

    profiles: Sequence[str] = PROFILES
    controls: Sequence[str] = QUICK_CONTROLS
    peers: Sequence[str] = ()


def choose_configurations(opened: OpenedBundle, wanted: Wanted, examples: Sequence[Example]) -> Chosen:
    """Make the configurations, `full` first; the examples are those that depths are matched on.

    Raises `EvaluationError` for a name that does not exist; what only this bundle lacks is reported.
    """
    for kind, names, known in (("profile", wanted.profiles, PROFILES), ("control", wanted.controls, CONTROLS)):
        if unknown := [name for name in names if name not in known]:
            raise EvaluationError(f"unknown {kind} {unknown[0]!r}; there are: {', '.join(known)}")
    return _Chooser(opened, examples).choose(wanted)


class _Chooser:
    def __init__(self, opened: OpenedBundle, examples: Sequence[Example]) -> None:
        self._opened, self._examples = opened, examples
        self._forced = ForcedTexts(SharedPrompts(opened.model, opened.table, opened.gauge))
        self._filled = {
            depth: ForcedTexts(SharedPrompts(opened.model, opened.table, opened.gauge, depth))
            for depth in opened.model.fillings
        }
        self._profiles: dict[str, Profile] = {}
        self._exiting: dict[str, Profile] = {}
        self._chosen = Chosen()

    def choose(self, wanted: Wanted) -> Chosen:
        for name in ("full", *(name for name in PROFILES if name in wanted.profiles and name != "full")):
            self._profile(name)
        if "exits" in wanted.controls:
            for name, profile in self._profiles.items():
                if profile.guessing:
                    self._decode_by(f"exits-{name}", "control", replace(profile, guessing=False))
        if "fixed" in wanted.controls:
            for depth in self._opened.bundle.exits:
                self._engine(f"fixed-{depth}", f"every token after layer {depth}", self._fixed(depth))
        self._matched([name for name in ("random", "confidence") if name in wanted.controls])
        if "propagate" in wanted.controls:
            self._propagate()
        if "original" in wanted.controls:
            self._original()
        for name in wanted.peers:
            self._peer(name)
        return self._chosen

    def _profile(self, name: str) -> None:
        try:
            profile = resolve_profile(name, self._opened.policy)
        except ProfileError as error:
            self._chosen.left_out.append(str(error))
            return
        self._profiles[name] = profile
        if name in MATCHED_PROFILES and profile.make_policy is not NeverExit:
            self._exiting[name] = profile
        self._decode_by(name, "profile", profile)

    def _decode_by(self, name: str, kind: str, profile: Profile) -> None:
        detail = "no exits" if profile.make_policy is NeverExit else "exits by the bundle's policy"
        if profile.verify:
            detail = "exits draft, full depth verifies"
        if profile.guessing:
            detail += "; guesses draft, too"
        forced = self._filled.get(profile.fill, self._forced)
        if forced is not self._forced:
            detail += f"; rows far above leave keys and values mapped from layer {profile.fill}"
        make_policy = self._ignore_seed(profile)
        decoder = EngineDecoder(forced, self._opened.tokenizer, make_policy, profile.verify, profile.guessing)
        self._chosen.configurations.append(Configuration(name, kind, detail, decoder))

    def _ignore_seed(self, profile: Profile) -> Callable[[str], Policy]:
        return lambda _: profile.make_policy()

    def _fixed(self, depth: int) -> Callable[[str], Policy]:
        return lambda _: FixedExit(depth)

    def _engine(self, name: str, detail: str, make_policy: Callable[[str], Policy]) -> None:
        decoder = EngineDecoder(self._forced, self._opened.tokenizer, make_policy)
        self._chosen.configurations.append(Configuration(name, "control", detail, decoder))

    def _matched(self, names: Sequence[str]) -> None:
        """Add random and confidence exits at the depth of each profile that exits."""
        model = self._opened.model
        if not names or model.last == 0:
            return
        states = [self._forced.states(example) for example in self._examples[:MATCHED_EXAMPLES]]
        depths = {name: mean_depth(states, profile.make_policy) for name, profile in self._exiting.items()}
        for like, depth in (depths or {f"{UNMATCHED_SHARE:.0%}": UNMATCHED_SHARE * model.layers}).items():
            if "random" in names:
                layers = [model.depth(index) for index in range(len(model.segments))]
                probability = random_probability(layers, depth)
                detail = f"leaves each exit with probability {probability:.3f}, for a mean depth of {depth:.1f}"
                self._engine(f"random-{like}", detail, random_policy(probability))
            if "confidence" in names:
                threshold = confidence_threshold(states, depth)
                detail = f"leaves at a probability of {threshold:.3f}, for a mean depth of {depth:.1f}; runs the head"
                self._engine(f"confidence-{like}", detail, confidence_policy(threshold))

    def _propagate(self) -> None:
        exits = self._opened.model.early_exits
        if not exits:
            self._chosen.left_out.append("propagate: this bundle has no exits")
            return
        if (profile := self._exiting.get("balanced")) is not None:
            make_policy, by = self._ignore_seed(profile), "balanced's policy"
        else:
            make_policy, by = self._fixed(exits[-1]), f"a fixed exit after layer {exits[-1]}"
        backbone, model = self._opened.plain()
        decoder = PropagatingDecoder(
            backbone, model, self._opened.tokenizer, make_policy, self._opened.table, self._opened.gauge
        )
        detail = f"GREEN-CODE's K/V, copied from the exit upward; leaves by {by}; {backbone.description}"
        self._chosen.configurations.append(Configuration("propagate", "control", detail, decoder))

    def _original(self) -> None:
        if self._opened.adapters is None:
            self._chosen.left_out.append("original: this bundle's weights are the original ones, so that is full")
            return
        prompts = SharedPrompts(self._opened.original(), self._opened.table, self._opened.gauge)
        decoder = EngineDecoder(ForcedTexts(prompts), self._opened.tokenizer, lambda _: NeverExit())
        detail = f"full depth of {UNCHANGED}"
        self._chosen.configurations.append(Configuration("original", "control", detail, decoder))

    def _peer(self, name: str) -> None:
        opened = self._opened
        longest = max((example.prompt for example in self._examples), key=len)
        most = max(example.max_tokens for example in self._examples)
        try:
            exits = opened.model.early_exits
            engine = make_peer(name, opened.folder, opened.device, exits, opened.gauge, longest, most)
        except UserError as error:
            self._chosen.left_out.append(str(error))
            return
        detail = engine.detail if opened.adapters is None else f"{engine.detail}; {UNCHANGED}"
        self._chosen.configurations.append(Configuration(name, "peer", detail, PeerDecoder(engine, opened.gauge)))
