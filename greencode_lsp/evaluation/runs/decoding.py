"""What decodes an example, and what comes back of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from greencode_lsp.engine import Token
from greencode_lsp.evaluation.runs.records import Cost, Forced
from greencode_lsp.evaluation.suites.example import Example


@dataclass(frozen=True)
class Decoded:
    """The tokens of a text, why it ended, and what it took. A token's depth is 0 where that is not known."""

    tokens: tuple[Token, ...]
    finish: str
    cost: Cost
    forced: Forced | None = None


class Decoder(Protocol):
    """Something that continues prompts."""

    def decode(self, example: Example, full_tokens: int | None) -> Decoded:
        """Continue an example. `full_tokens` is how many tokens full depth took there, where that ran already."""


@dataclass(frozen=True)
class Configuration:
    """A way to decode, by name; `kind` is profile, control or peer, `detail` is for people."""

    name: str
    kind: str
    detail: str
    decoder: Decoder
