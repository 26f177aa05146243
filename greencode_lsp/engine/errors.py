"""What can go wrong in the engine, each with one line a user can act on."""

from greencode_lsp.engine.result import Work
from greencode_lsp.errors import UserError


class EngineError(UserError):
    """A model, prompt or computation the engine cannot work with."""


class Cancelled(Exception):  # noqa: N818 - a request, not a failure
    """The caller no longer wants the result. What was computed until then, `work`, stays valid in its session."""

    def __init__(self, work: Work) -> None:
        super().__init__("cancelled")
        self.work = work


class NumericalError(EngineError):
    """A hidden state became NaN or infinite. The session that produced it must be dropped."""
