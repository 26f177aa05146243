"""The protocol of GREEN-CODE (arXiv 2501.11006, `src/eval/evaluator.py`): 15 tokens after a part of a file's tokens."""

from __future__ import annotations

from collections.abc import Sequence

from greencode_lsp.evaluation.codexglue.literals import restore
from greencode_lsp.evaluation.suites.example import Ending, Example, RowError
from greencode_lsp.evaluation.suites.prompting import Prompter

FRACTIONS = (0.2, 0.3, 0.5, 0.6)

WINDOW_TOKENS = 15

LONGEST_CONTEXT = 2048 - 1 - WINDOW_TOKENS
"""Tokens of a prompt at most; a longer part of a file is cut at its end, as in the paper."""


def windows(number: int, text: str, cluster: str, language: str, prompter: Prompter) -> list[Example]:
    """Return an example for each part of a file that has a window behind it; raise `RowError` when none has."""
    ids = prompter.tokenizer.encode(text)
    longest = min(LONGEST_CONTEXT, prompter.context - WINDOW_TOKENS)
    if longest < 1:
        raise RowError(f"a context of {prompter.context} tokens has no room for {WINDOW_TOKENS} new ones")
    found = []
    for fraction in FRACTIONS:
        part = int(len(ids) * fraction)
        cut = min(part, longest)
        if cut > len(prompter.tokenizer.encode("")) and len(ids) - cut >= WINDOW_TOKENS:
            target = ids[cut : cut + WINDOW_TOKENS]
            found.append(
                Example(
                    id=f"row-{number}-{fraction:.0%}",
                    row=number,
                    cluster=cluster,
                    language=language,
                    prompt=tuple(ids[:cut]),
                    target=tuple(target),
                    before=prompter.tokenizer.decode(ids[:cut]),
                    reference=prompter.tokenizer.decode(target),
                    ending=Ending.TOKENS,
                    max_tokens=WINDOW_TOKENS,
                    was_cut=part > cut,
                )
            )
    if not found:
        raise RowError(f"a file of {len(ids)} tokens has no {WINDOW_TOKENS} behind a part of it")
    return found


def joined(tokens: Sequence[str]) -> str:
    """Return a file as the paper gives it to its models: tokens with a space between them, `<EOL>` as a word."""
    return " ".join(restore(token) for token in tokens)
