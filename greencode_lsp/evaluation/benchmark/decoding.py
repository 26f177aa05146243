"""Engines side by side: the same prompts, the same number of greedy tokens, in turns, medians."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from greencode_lsp.completion.suggestion import Report
from greencode_lsp.evaluation.benchmark.gauge import Reading

WARM_UP_TOKENS = 8
TRIAL_RUNS = 2
TRIAL_TOKENS = 16


@dataclass(frozen=True)
class Run:
    """What one engine did once.

    `prefill` spans the cold prompt until the first token, `decode` the `decoded` tokens after it.
    """

    tokens: list[int]
    prefill: Reading
    decoded: int
    decode: Reading

    @property
    def tokens_per_s(self) -> float:
        """Tokens after the first over the time after the first."""
        return self.decoded / self.decode.seconds

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.prefill.seconds + self.decode.seconds

    @property
    def joules(self) -> float | None:
        """All of them."""
        if self.prefill.joules is None or self.decode.joules is None:
            return None
        return self.prefill.joules + self.decode.joules


class Engine(Protocol):
    """Something that decodes greedily in this process. `profile` is None for peers, `source` where no meter counts."""

    name: str
    profile: str | None
    detail: str
    source: str | None

    def run(self, prompt: Sequence[int], tokens: int) -> Run:
        """Decode so many tokens after a cold prompt, whatever they are."""


@dataclass(frozen=True)
class DecodeRow:
    """Medians of one engine.

    `total_ms` and `joules` are of a whole text, from the cold prompt on: layers that the first token did without run
    among the others, so that only the whole shows what exits save.
    `ratios` holds its tokens/s over those of each peer. `same_tokens` counts how many tokens behind the first prompt,
    from the first on, are those of the first engine: another number format may choose differently where two are close.
    """

    engine: str
    profile: str | None
    detail: str
    tokens_per_s: float
    ms_per_token: float
    prefill_tokens_per_s: float
    joules_per_token: float | None
    total_ms: float
    joules: float | None
    source: str | None
    same_tokens: int
    ratios: dict[str, float]


def compare(
    engines: Sequence[Engine],
    prompts: Sequence[Sequence[int]],
    tokens: int,
    rounds: int,
    report: Report = lambda stage, done, total: None,
) -> list[DecodeRow]:
    """Run the engines in turns, A B C A B C, each turn on the next prompt, after a short run that does not count.

    The prompts are of one length.
    """
    for engine in engines:
        engine.run(prompts[0], WARM_UP_TOKENS)
    runs: list[list[Run]] = [[] for _ in engines]
    for done in range(rounds):
        for index, engine in enumerate(engines):
            report("decoding", done * len(engines) + index, rounds * len(engines))
            runs[index].append(engine.run(prompts[done % len(prompts)], tokens))
    report("decoding", rounds * len(engines), rounds * len(engines))
    speeds = [median(run.tokens_per_s for run in each) for each in runs]
    peers = {engine.name: speed for engine, speed in zip(engines, speeds, strict=True) if engine.profile is None}
    return [
        DecodeRow(
            engine=engine.name,
            profile=engine.profile,
            detail=engine.detail,
            tokens_per_s=speed,
            ms_per_token=1000 / speed,
            prefill_tokens_per_s=len(prompts[0]) / median(run.prefill.seconds for run in each),
            joules_per_token=median_or_none([joules_per_token(run) for run in each]),
            total_ms=1000 * median(run.seconds for run in each),
            joules=median_or_none([run.joules for run in each]),
            source=engine.source,
            same_tokens=common_beginning(each[0].tokens, runs[0][0].tokens),
            ratios={peer: speed / other for peer, other in peers.items()},
        )
        for engine, each, speed in zip(engines, runs, speeds, strict=True)
    ]


def fastest(makers: Sequence[Callable[[], Engine]], prompt: Sequence[int]) -> Engine:
    """Return the variant of an engine that decodes fastest here: a peer is compared at its best."""
    best: tuple[float, Engine] | None = None
    for make in makers:
        engine = make()
        engine.run(prompt, WARM_UP_TOKENS)
        speed = max(engine.run(prompt, TRIAL_TOKENS).tokens_per_s for _ in range(TRIAL_RUNS))
        if best is None or speed > best[0]:
            best = speed, engine
    assert best is not None, "there is a variant"
    return best[1]


def joules_per_token(run: Run) -> float | None:
    """Return what a token after the first took."""
    return None if run.decode.joules is None else run.decode.joules / run.decoded


def median_or_none(values: Sequence[float | None]) -> float | None:
    """Return the median where all values are known."""
    known = [value for value in values if value is not None]
    return median(known) if len(known) == len(values) else None


def common_beginning(left: Sequence[int], right: Sequence[int]) -> int:
    """Count equal tokens from the first on."""
    return next(
        (index for index, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )
