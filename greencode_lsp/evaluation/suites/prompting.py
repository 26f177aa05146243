"""From text to token ids: what fits in front of the cursor, and what should come behind it."""

from __future__ import annotations

from dataclasses import dataclass

from greencode_lsp.completion.infill import InfillTemplate, fit_suffix, infill_prompt
from greencode_lsp.completion.prompt import fit_prompt
from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.evaluation.suites.example import RowError

PROMPT_TOKENS = 1024
"""What the language server shows a model of a file."""


@dataclass(frozen=True)
class Prompter:
    """Cuts prompts to what a model has room for.

    `context` is the model's, in tokens; `template` says how it fills in, None where it was not trained to.
    """

    tokenizer: CodeTokenizer
    context: int
    template: InfillTemplate | None = None

    def prompt(self, text: str, max_tokens: int) -> tuple[tuple[int, ...], bool]:
        """Return the ids of as much of a text's end as fits, and whether some was cut off; raise `RowError`."""
        if not text.strip():
            raise RowError("the prompt is empty")
        ids = fit_prompt(text, self._budget(max_tokens), self.tokenizer)
        if not ids:
            raise RowError("the prompt has no tokens")
        return tuple(ids), len(self.tokenizer.decode(ids)) < len(text)

    def infill(self, template: InfillTemplate, text: str, suffix: str, max_tokens: int) -> tuple[tuple[int, ...], bool]:
        """Return the ids of a prompt with what stands behind the cursor, and whether the text before it was cut."""
        if not text.strip():
            raise RowError("the prompt is empty")
        budget = self._budget(max_tokens)
        behind = fit_suffix(template, suffix, budget, self.tokenizer)
        room = budget - len(infill_prompt(template, [], behind))
        if room < 1:
            raise RowError(f"the suffix leaves no room for a prompt of {budget} tokens")
        before = fit_prompt(text, room, self.tokenizer)
        return tuple(infill_prompt(template, before, behind)), len(self.tokenizer.decode(before)) < len(text)

    def continuation(self, text: str) -> tuple[int, ...]:
        """Return the ids of a text that comes behind a prompt; raise `RowError`."""
        lead = len(self.tokenizer.encode(""))
        ids = tuple(self.tokenizer.encode(text)[lead:])
        if not ids:
            raise RowError("the target is empty")
        return ids

    def _budget(self, max_tokens: int) -> int:
        budget = min(PROMPT_TOKENS, self.context - max_tokens)
        if budget < 1:
            raise RowError(f"a context of {self.context} tokens has no room for {max_tokens} new ones")
        return budget
