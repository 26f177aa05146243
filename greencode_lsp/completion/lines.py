r"""Lines as editors count them: ended by \\n, \\r\\n or \\r and by nothing else (LSP 3.18, text documents).

Python's `splitlines` also breaks at form feeds, U+2028 and others, which shifts every line below.
"""

import re

LINE_END = re.compile(r"\r\n|\n|\r")


def line_starts(text: str) -> list[int]:
    """Return the offset of the beginning of every line; the first is 0."""
    return [0, *(match.end() for match in LINE_END.finditer(text))]


def split_lines(text: str) -> list[str]:
    """Return the lines, each with its line end; a text that ends in a line end has an empty last line."""
    starts = line_starts(text)
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def indentation(line: str) -> int:
    """Return the width of a line's leading blanks, tabs counted to multiples of 4."""
    width = 0
    for character in line:
        if character == " ":
            width += 1
        elif character == "\t":
            width += 4 - width % 4
        else:
            break
    return width


def with_plain_line_ends(text: str) -> str:
    r"""Return a text with `\n` as its only line end, which is all that prompts and suggestions know."""
    return LINE_END.sub("\n", text) if "\r" in text else text


def line_end_at(text: str, offset: int) -> str:
    r"""Return the line end that a text has at an offset: that of the line before, else of this line, else `\n`.

    In a text with several kinds the nearest one is what its author writes there. But a lone `\r` is one only where no
    line ends in `\n`: elsewhere it is the half of a `\r\n` that is just being typed, or a mistake.
    """
    place = text.rfind("\n", 0, offset)
    if place < 0:
        place = text.find("\n", offset)
    if place >= 0:
        return "\r\n" if text[max(place - 1, 0) : place] == "\r" else "\n"
    return "\r" if "\r" in text else "\n"
