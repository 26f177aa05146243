"""The prompt: the text before the cursor, cut at the left so that it fits a token budget.

The cut falls on lines whose number is a multiple of `CUT_EVERY_LINES`, so that it stays where it is while a person
types, and a session can keep everything it has computed (a cut that slides by a line invalidates all of it).
"""

from bisect import bisect_left

from greencode_lsp.completion.lines import line_starts
from greencode_lsp.completion.tokenizer import CodeTokenizer

CUT_EVERY_LINES = 32

CUT_EVERY_LINES_AT_LEAST = 4
"""Lines are cut at multiples of this where 32 of them exceed the budget."""

CUT_EVERY_CHARACTERS = 512
"""Where a single line exceeds the budget, it is cut at multiples of this."""

CHARACTERS_PER_TOKEN = 8
"""No source code needs more characters per token than this on average: bounds what is tokenised at all."""

SEAM_TOKENS = 4
"""A text may tokenise into this many tokens more when it begins at a cut than as the end of a longer text."""


def fit_prompt(prefix: str, budget: int, tokenizer: CodeTokenizer) -> list[int]:
    """Return the token ids of as much of the end of `prefix` as fits into `budget` tokens."""
    oldest = max(len(prefix) - budget * CHARACTERS_PER_TOKEN, 0)
    cuts = cut_points(prefix, oldest)
    first = cuts[0]
    ids, offsets = tokenizer.encode_with_offsets(prefix[first:])
    if len(ids) <= budget:
        return ids
    for cut in cuts[1:]:
        if len(ids) - bisect_left(offsets, cut - first) + SEAM_TOKENS <= budget:
            return tokenizer.encode(prefix[cut:])[-budget:]
    return ids[-budget:]  # nothing to cut at fits: text without any structure


def cut_points(prefix: str, oldest: int) -> list[int]:
    """Return offsets from `oldest` on where the prompt may begin, best first: rare cuts before more frequent ones."""
    starts = line_starts(prefix)
    cuts = [start for every in (CUT_EVERY_LINES, CUT_EVERY_LINES_AT_LEAST, 1) for start in starts[::every]]
    cuts += range(starts[-1], len(prefix), CUT_EVERY_CHARACTERS)
    return [cut for cut in cuts if oldest <= cut < len(prefix)] or [oldest]
