"""Our own engine as a decoder: a policy, and whether exits only draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.engine import Request, generate
from greencode_lsp.evaluation.runs.decoding import Decoded
from greencode_lsp.evaluation.runs.forcing import ForcedStates, force
from greencode_lsp.evaluation.runs.prefill import SharedPrompts
from greencode_lsp.evaluation.suites.example import Example
from greencode_lsp.policy import NeverExit, Policy


class ForcedTexts:
    """The states of one model along true texts; keeps the last one."""

    def __init__(self, prompts: SharedPrompts) -> None:
        self.prompts = prompts
        self._last: tuple[str, ForcedStates] | None = None

    def states(self, example: Example) -> ForcedStates:
        """Return the states of an example."""
        if self._last is None or self._last[0] != example.id:
            self._last = None
            self._last = example.id, force(self.prompts.prefill(example.prompt), example.target)
        return self._last[1]


class EngineDecoder:
    """A policy on one model, and what drafts. `make_policy` is given the example's id, as a seed for drawing lots."""

    def __init__(
        self,
        forced: ForcedTexts,
        tokenizer: CodeTokenizer,
        make_policy: Callable[[str], Policy],
        verify: bool = False,
        guessing: bool = False,
    ) -> None:
        self._forced, self._prompts, self._tokenizer = forced, forced.prompts, tokenizer
        self._make_policy, self._verify, self._guessing = make_policy, verify, guessing

    def decode(self, example: Example, full_tokens: int | None) -> Decoded:
        """Continue an example, and judge the policy along the true text."""
        prefill = self._prompts.prefill(example.prompt)
        request = Request(
            prompt=example.prompt,
            max_tokens=example.max_tokens,
            policy=self._make_policy(example.id),
            verify=self._verify,
            guessing=self._guessing,
            fill=self._prompts.fill,
            stop=stop_rule(example, self._tokenizer),
        )
        prefill.session.forget_drafts()  # of the configuration before this one, whose text is nearly the same
        begun = self._prompts.gauge.read()
        generation = generate(prefill.session, request)
        span = self._prompts.gauge.between(begun, self._prompts.gauge.read())
        cost = self._prompts.cost(prefill, generation, span, drafts=self._verify or self._guessing)
        said = NeverExit() if self._verify else self._make_policy(example.id)
        forced = self._forced.states(example).judge(said)
        return Decoded(tuple(generation.tokens), generation.finish.value, cost, forced)


def stop_rule(example: Example, tokenizer: CodeTokenizer) -> Callable[[Sequence[int]], bool]:
    """Return what says that a text ends with its last token: by the example's rule, or with a token that is no text."""
    special = tokenizer.special_ids

    def stop(ids: Sequence[int]) -> bool:
        return ids[-1] in special or example.end(tokenizer.decode(ids)) is not None

    return stop
