"""What a run keeps of an example and of each configuration's answer to it; one JSON line each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExampleRecord:
    """An example, without its prompt: `tail` is the text of the line before the cursor. Counts are of tokens."""

    id: str
    row: int
    cluster: str
    language: str
    reference: str
    tail: str
    prompt_tokens: int
    target_tokens: int
    was_cut: bool
    gold: str | None = None


@dataclass(frozen=True)
class Cost:
    """What a text took, split at the prompt's last token: before it is prefill, from it on decode.

    `joules_full` is what the same text costs at full depth, `joules_decode_full` the decode part of that. Those with
    `uncached` are the paper's way to run, without K/V: every new token runs all tokens before it again, to the depth it
    is read at, or to full depth. `counted_joules` is the meter's own difference, None where it steps too coarsely. All
    joules are None where the costs are not known.
    """

    seconds_prefill: float
    seconds_decode: float
    joules_prefill: float | None
    joules_decode: float | None
    joules_full: float | None
    joules_decode_full: float | None
    joules_uncached: float | None
    joules_uncached_full: float | None
    counted_joules: float | None
    source: str

    @property
    def joules(self) -> float | None:
        """All of it."""
        if self.joules_prefill is None or self.joules_decode is None:
            return None
        return self.joules_prefill + self.joules_decode


@dataclass(frozen=True)
class Forced:
    """Next tokens when the true text is fed: how many were right, of how many, and the sum of their depths."""

    right: int
    tokens: int
    depth: int


@dataclass(frozen=True)
class Result:
    """One configuration's answer to one example.

    `text` ends where the example's rule ends it; `shown` is what the language server would make of it. `tokens` are its
    pieces with the depth each was read at, 0 where that is not known. `gold_text` is the text in the data set's tokens.
    `passed` says whether the program with the text in it passes its tests. `guessed` counts the tokens that were
    guessed and confirmed.
    """

    example: str
    configuration: str
    text: str
    shown: str
    tokens: tuple[tuple[str, int], ...]
    finish: str
    cost: Cost
    forced: Forced | None = None
    gold_text: str | None = None
    passed: bool | None = None
    guessed: int = 0


@dataclass(frozen=True)
class Failure:
    """A configuration that failed on an example."""

    example: str
    configuration: str
    cause: str


@dataclass(frozen=True)
class Case:
    """A result beside its example, and beside what full depth said there."""

    example: ExampleRecord
    result: Result
    full: Result | None = None
