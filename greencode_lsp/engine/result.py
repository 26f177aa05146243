"""What decoding gives back."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Finish(Enum):
    """Why decoding ended."""

    STOP_RULE = "stop rule"
    UNCERTAIN = "uncertain"
    END_OF_TEXT = "end of text"
    MAX_TOKENS = "max tokens"
    CONTEXT_FULL = "context full"
    GAVE_UP = "gave up"


@dataclass(frozen=True)
class Token:
    """A generated token and the depth, in layers, at which it was read.

    With `guessed`, it was guessed, and that layer only said yes. With `shortlisted`, it was
    chosen among an exit's shortlist and not among the whole vocabulary. `probability` is what that layer gave it, among
    the tokens that it could have been. `read_in_vain` are the exits, by depth, where one was read before it and
    not taken.
    """

    id: int
    exit_layer: int
    probability: float = 1.0
    guessed: bool = False
    shortlisted: bool = False
    read_in_vain: tuple[int, ...] = ()


@dataclass
class Work:
    """What was computed: how often so many layers ran on so many rows, and the head on so many rows.

    An exit's translator and its shortlist count as the part of a layer that their weights would be.
    """

    layer_runs: Counter[tuple[float, int]] = field(default_factory=Counter)
    head_runs: Counter[int] = field(default_factory=Counter)


@dataclass
class Generation:
    """A generated text, with what it took.

    `prompt_rows` of the prompt's tokens had to be fed anew; `reused_rows` were still in the session. The times count
    from the beginning of the call: until the prompt had run, until the first token was known, until the end.
    """

    tokens: list[Token]
    finish: Finish
    work: Work
    prompt_rows: int
    reused_rows: int
    prefill_ms: float
    first_token_ms: float
    total_ms: float
