"""Fitting a suggestion to what already stands behind the cursor: nothing twice, no bracket closed twice."""

from dataclasses import dataclass

from greencode_lsp.completion.lines import split_lines

BRACKETS = {")": "(", "]": "[", "}": "{"}

QUOTES = ("'", '"', "`")


@dataclass(frozen=True)
class Fitted:
    """A suggestion's text, and how many characters behind the cursor on its line it replaces."""

    text: str
    replaces: int = 0


def fit(text: str, prefix: str, suffix: str) -> Fitted:
    """Fit a suggestion to the text around the cursor; its text is empty when nothing new remains."""
    line_suffix, *following = [line.rstrip("\r\n") for line in split_lines(suffix)]
    line_prefix = split_lines(prefix)[-1]
    text = without_known_lines(text, line_prefix, [line.strip() for line in following if line.strip()])
    if not text.strip():
        return Fitted("")
    if not line_suffix.strip():
        return Fitted(text.rstrip())
    return fit_to_line(text, line_suffix.rstrip())


def fit_to_line(text: str, line_suffix: str) -> Fitted:
    """Fit to the rest of the cursor's line: go over it where the suggestion ends with it, else close no bracket of it.

    `f(|)` with `x):` becomes `x):` in place of `)`, and with `x) + y` becomes `x`.
    """
    if line_suffix.lstrip().startswith(text.strip()):
        return Fitted("")
    closer = first_foreign_closer(text, line_suffix)
    if closer is not None:
        return Fitted(text, len(line_suffix)) if text[closer:].startswith(line_suffix) else Fitted(text[:closer])
    overlap = longest_overlap(text, line_suffix)
    return Fitted(text, overlap)


def longest_overlap(text: str, line_suffix: str) -> int:
    """Return the length of the longest beginning of `line_suffix` that `text` ends with and that stands on its own.

    A bracket or quote that the suggestion itself opened is its own, not the one behind the cursor.
    """
    for length in range(min(len(text), len(line_suffix)), 0, -1):
        shared = line_suffix[:length]
        if text.endswith(shared) and not closes_own_bracket(text, shared) and not closes_own_quote(text, shared):
            return length
    return 0


def first_foreign_closer(text: str, line_suffix: str) -> int | None:
    """Return the offset of a closing bracket that the text did not open and that already stands behind the cursor."""
    offset, waiting = unopened_closer(text), line_suffix.lstrip()[:1]
    return offset if offset is not None and text[offset] == waiting else None


def unopened_closer(text: str) -> int | None:
    """Return the offset of the first closing bracket without an opening one."""
    depth = dict.fromkeys(BRACKETS.values(), 0)
    for offset, character in enumerate(text):
        if character in depth:
            depth[character] += 1
        elif character in BRACKETS:
            depth[BRACKETS[character]] -= 1
            if depth[BRACKETS[character]] < 0:
                return offset
    return None


def closes_own_bracket(text: str, shared: str) -> bool:
    """Say whether `shared`, the end of `text`, closes a bracket that was opened in the text before it."""
    counts_agree = all(shared.count(closer) == shared.count(opener) for closer, opener in BRACKETS.items())
    if counts_agree and unopened_closer(shared) is None:
        return False
    first_foreign = unopened_closer(text)
    return first_foreign is None or first_foreign < len(text) - len(shared)


def closes_own_quote(text: str, shared: str) -> bool:
    """Say whether the quote that `shared` begins with ends a string that the text itself began."""
    return shared[0] in QUOTES and text.count(shared[0]) % 2 == 0


def without_known_lines(text: str, line_prefix: str, following: list[str]) -> str:
    """Drop the end of a suggestion, from a line on, that repeats the next lines of the document (stripped)."""
    lines = split_lines(text)
    whole = [line_prefix + lines[0], *lines[1:]]
    for start, line in enumerate(whole):
        ours = [other.strip() for other in whole[start:] if other.strip()]
        if line.strip() and ours == following[: len(ours)]:
            return "".join(lines[:start]).rstrip("\r\n")
    return text
