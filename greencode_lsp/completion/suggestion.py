"""What goes into a completion and what comes out. Light: importing this loads no model library."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from greencode_lsp.energy import Charge

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class LoadOptions:
    """Which model to load, and where. `device` is "auto", "cpu" or "cuda"; 0 threads lets torch choose."""

    model: str = "smollm2-135m"
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True)
class CompletionRequest:
    r"""A place in a document, and how to continue there.

    `document` names the document among all that are open (only to keep their sessions apart), `prefix` and `suffix`
    are all of its text before and behind the cursor. `other_files` are pieces of other files, the most telling last:
    as many as fit stand in front of the prompt. Lines of both end in `\\n` alone. `language` is an LSP language id, and
    `path` says more where that is unknown. `multiline` is "auto", "always" or "never".
    `max_quality_loss` is the share of full depth's right tokens that the profile `balanced` may lose; None leaves that
    to the bundle. The suggestion ends before a token with which the probability of all of it falls below
    `least_certain`.
    """

    document: str
    prefix: str
    suffix: str = ""
    other_files: tuple[str, ...] = ()
    profile: str = "auto"
    max_tokens: int = 48
    multiline: str = "auto"
    max_quality_loss: float | None = None
    least_certain: float = 0.0
    cancelled: Callable[[], bool] = lambda: False
    language: str = ""
    path: str = ""


@dataclass(frozen=True)
class SuggestedToken:
    """The part of a suggestion that came from one token, and the depth at which that was read.

    With `guessed`, it was guessed, and the layer it was read at said yes.
    """

    text: str
    exit_layer: int
    guessed: bool = False


@dataclass(frozen=True)
class Timings:
    """Milliseconds from the request until the prompt had run, the first token was known, all was done."""

    prefill: float
    first_token: float
    total: float


@dataclass(frozen=True)
class Suggestion:
    """A text to show at the cursor in place of the `replaces` characters behind it, and what it took.

    `origin` is the id of the suggestion that was computed: another one where this is the rest of it from the cache.
    The text is empty where nothing is worth showing. `generated_tokens` also counts those that were cut off again, and
    `guessed_tokens` those of them that were guessed and confirmed.
    Of the prompt, `prompt_tokens` were computed and `reused_tokens` were still in the session; both 0 when cached.
    """

    id: str
    origin: str
    text: str
    replaces: int
    tokens: tuple[SuggestedToken, ...]
    generated_tokens: int
    guessed_tokens: int
    mean_exit_layer: float | None
    layers: int
    model: str
    profile: str
    charge: Charge
    timings_ms: Timings
    prompt_tokens: int
    reused_tokens: int
    cached: bool

    def with_line_ends(self, line_end: str) -> "Suggestion":
        r"""Return this suggestion as a document has it whose lines end in `line_end` and not in `\n`."""
        if line_end == "\n" or "\n" not in self.text:
            return self
        tokens = tuple(replace(token, text=token.text.replace("\n", line_end)) for token in self.tokens)
        return replace(self, text=self.text.replace("\n", line_end), tokens=tokens)
