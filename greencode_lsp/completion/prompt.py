"""The prompt: the text before the cursor, cut at the left so that it fits a token budget.

Of the lines at which the prompt may begin, the one whose content has the smallest hash is taken. So the cut stays where
it is while a person types below it, and also when lines are added or removed above it or in the middle: a session can
then keep everything it has computed (a cut that slides by a line invalidates all of it).
"""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from greencode_lsp.completion.lines import line_starts
from greencode_lsp.completion.tokenizer import CodeTokenizer

HASHED_LINES = 4
"""Lines that a place's hash is of: a single one, such as a closing brace, is often not the only one of its kind."""

CUT_EVERY_CHARACTERS = 512
"""Where a single line exceeds the budget, it is cut at multiples of this."""

CHARACTERS_PER_TOKEN = 8
"""No source code needs more characters per token than this on average: bounds what is tokenised at all."""

OTHER_FILES_SHARE = 4
"""Other files get at most this part of a prompt, a quarter."""

SEAM_TOKENS = 4
"""A text may tokenise into this many tokens more when it begins at a cut than as the end of a longer text."""


def fit_prompt(prefix: str, budget: int, tokenizer: CodeTokenizer) -> list[int]:
    """Return the token ids of as much of the end of `prefix` as fits into `budget` tokens, but at least half of it."""
    oldest = max(len(prefix) - budget * CHARACTERS_PER_TOKEN, 0)
    ids, offsets = tokenizer.encode_with_offsets(prefix[oldest:])
    if oldest == 0 and len(ids) <= budget:
        return ids
    # Cuts between these two leave at most the budget and at least half of it.
    first = oldest + offsets[max(len(ids) - budget + SEAM_TOKENS, 0)]
    last = oldest + offsets[max(len(ids) - budget // 2, 0)]
    cut = choose_cut(prefix, first, last)
    return ids[-budget:] if cut is None else tokenizer.encode(prefix[cut:])[-budget:]


def prompt_with_other_files(prefix: str, pieces: Sequence[str], budget: int, tokenizer: CodeTokenizer) -> list[int]:
    """Return what `fit_prompt` does, behind the last of `pieces` that fit into their share of the budget."""
    begin = len(tokenizer.encode(""))
    others: list[int] = []
    for piece in reversed(pieces):
        ids = tokenizer.encode(piece)[begin:]
        if len(others) + len(ids) > budget // OTHER_FILES_SHARE:
            break
        others = [*ids, *others]
    own = fit_prompt(prefix, budget - len(others), tokenizer)
    return [*own[:begin], *others, *own[begin:]]


def choose_cut(prefix: str, first: int, last: int) -> int | None:
    """Return the offset from `first` to `last` at which the prompt begins; None in text without any structure."""
    starts = line_starts(prefix)
    lines = range(bisect_left(starts, first), bisect_right(starts, last))
    if lines:
        return starts[min(lines, key=lambda line: content_hash(prefix, starts[line : line + HASHED_LINES + 1]))]
    line = starts[bisect_left(starts, first) - 1]
    cut = line + -(-(first - line) // CUT_EVERY_CHARACTERS) * CUT_EVERY_CHARACTERS
    return cut if cut <= last else None


def content_hash(prefix: str, starts: list[int]) -> int:
    """Return a number that depends on the text between these offsets only; the same in every process."""
    return zlib.crc32(prefix[starts[0] : starts[-1]].encode("utf-8", errors="replace"))
