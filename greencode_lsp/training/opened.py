"""A model with its exits, ready to be run over a corpus."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.engine import EarlyExitModel, Runner, load_runner
from greencode_lsp.engine.adapters import adapters_beside
from greencode_lsp.engine.exits import EXITS_FILE, ExitHead, load_exits, matching_heads
from greencode_lsp.engine.identity import exits_identity
from greencode_lsp.paths import made_folder
from greencode_lsp.policy import Policy
from greencode_lsp.training.exits.recipe import check_exits
from greencode_lsp.training.material import Material, fetch_material, open_corpus, split_windows
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.texts import Choice, Window
from greencode_lsp.training.traces.written import written_windows


@dataclass(frozen=True)
class OpenedModel:
    """A runner, the exits to look at, and the heads that there are for them.

    `adapters` is the file with which training changed the weights, where there is one.
    """

    material: Material
    runner: Runner
    exits: tuple[int, ...]
    heads: dict[int, ExitHead]
    exits_sha256: str
    adapters: Path | None = None

    def original(self) -> Runner:
        """Return a runner of the weights as they were before training changed them; raise `EngineError`."""
        if self.adapters is None:
            return self.runner
        return load_runner(self.material.folder, str(self.runner.device), made_folder("packed"))

    def windows(self, corpus: Path, split: str, choice: Choice) -> list[Window]:
        """Return windows of a corpus' split; raise `UserError` when the corpus is not this model's."""
        return split_windows(open_corpus(corpus, self.material), split, choice)

    def written(
        self, windows: Sequence[Window], make_policy: Callable[[], Policy], new_tokens: int, report: Report
    ) -> list[Window]:
        """Return what a policy writes after each window."""
        model = EarlyExitModel(self.runner, self.exits, self.heads)
        return written_windows(model, make_policy, windows, self.material.lead, new_tokens, report)

    def corpus_identity(self, corpus: Path) -> str:
        """Return the sha256 of what a corpus holds."""
        return open_corpus(corpus, self.material).identity

    def packages(self, corpus: Path) -> tuple[str, ...]:
        """Return the names of a corpus' packages, in its order."""
        return tuple(package.name for package in open_corpus(corpus, self.material).packages)


def open_model(
    model: str,
    exits_file: Path | None,
    exits: tuple[int, ...] | None,
    device: str,
    report: Report,
    without_exits: bool = False,
) -> OpenedModel:
    """Load a model and its exits; raise `UserError` in one line, also where it has none unless `without_exits` allows.

    Without `exits_file` the bundle's own heads are used, where it has any; without `exits`, those of the file or else
    those of the bundle. Adapters beside the file are merged into the layers.
    """
    material = fetch_material(model, report)
    path = exits_file or material.bundle.folder / EXITS_FILE
    adapters = adapters_beside(path)
    runner = load_runner(material.folder, device, made_folder("packed"), adapters)
    heads: dict[int, ExitHead] = {}
    if exits_file is not None or path.is_file():
        heads = load_exits(path, runner.shape, material.identity, runner.device, runner.dtype)
    depths = exits or tuple(heads) or material.bundle.exits
    shortlisted = any(head.shortlist is not None for head in heads.values())
    if depths or not without_exits:
        check_exits(depths, runner.shape.layers - (not shortlisted))
    if heads:
        heads = matching_heads(heads, depths, path)
    return OpenedModel(material, runner, depths, heads, exits_identity(path) if heads else "", adapters)
