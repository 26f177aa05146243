"""greencode's own engine as one of the engines that are compared."""

from collections.abc import Sequence
from dataclasses import replace

from greencode_lsp.completion.profiles import Profile
from greencode_lsp.engine import EarlyExitModel, Request, Session, generate
from greencode_lsp.evaluation.benchmark.decoding import Run
from greencode_lsp.evaluation.benchmark.gauge import Gauge


class OwnEngine:
    """A profile of greencode."""

    name = "greencode"

    def __init__(self, model: EarlyExitModel, profile: Profile, gauge: Gauge) -> None:
        self.profile: str | None = profile.name
        self.detail = model.backbone.description
        self.source = gauge.source
        self._model, self._profile, self._gauge = model, profile, gauge

    def run(self, prompt: Sequence[int], tokens: int) -> Run:
        """Decode the first token in a new session, then the others: the time between them is the border."""
        session = Session(self._model)
        begun = self._gauge.read()
        first = generate(session, self._request(prompt, 1)).tokens
        started = self._gauge.read()
        rest = generate(session, self._request([*prompt, first[0].id], tokens - 1)).tokens
        decode = self._gauge.between(started, self._gauge.read())
        ids = [token.id for token in [*first, *rest]]
        return Run(ids, self._gauge.between(begun, started), len(rest), decode)

    def _request(self, prompt: Sequence[int], tokens: int) -> Request:
        profile = self._profile
        return Request(prompt, tokens, profile.make_policy(), profile.verify, profile.guessing, fill=profile.fill)


def ignore_end_of_text(model: EarlyExitModel) -> None:
    """Make a model decode past the end of a text, so that every engine decodes the same number of tokens."""
    model.backbone.shape = replace(model.backbone.shape, end_of_text=())
