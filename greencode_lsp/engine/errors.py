"""What can go wrong in the engine, each with one line a user can act on."""


class EngineError(Exception):
    """A model, prompt or computation the engine cannot work with."""


class Cancelled(Exception):  # noqa: N818 - a request, not a failure
    """The caller no longer wants the result. What was computed until then stays valid."""


class NumericalError(EngineError):
    """A hidden state became NaN or infinite. The session that produced it must be dropped."""
