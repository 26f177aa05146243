"""What a model trained to chat says that is no code: Markdown fences, and sentences about the code."""

from __future__ import annotations

import re

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.lines import line_starts
from greencode_lsp.completion.syntax.languages import UNKNOWN

FENCE = re.compile(r"[ \t]*(?:```|~~~)")
HEADING = re.compile(r"[ \t]*#{1,6} +(?!define|include|if|else|endif|pragma|undef|error|line|region|nullable)\w")
SENTENCE = re.compile(
    r"[ \t]*(?:(?:The|This|These|That|Here|There|It|In|To|Note|Now|We|You|Your|Sure|Certainly|Output|Example|First|"
    r"Finally|Please|Let's|I|A|An|If|When|As|So)(?: [a-z']+){3,}(?=[ .,:;!?]|$)"
    r"|(?:Explanation|Output|Note|Example|Solution|Answer|Question):[ \t]*$"
    r"|[A-Z][a-z']+(?: [a-z']+){3,}(?=[ .,:;!?]|$))"
)
"""A line that begins as an English sentence does: several words in lower case behind the first."""

LONE_WORD = re.compile(r"[ \t]*(?:The|This|These|Here|There|Sure|Certainly|Explanation)[ \t]*$")


def without_chat(text: str, cursor: Cursor) -> str:
    """Cut a suggestion before the first line that is a fence or a sentence, where the document holds code."""
    end = end_before_chat(text, cursor)
    return text if end is None else text[:end].rstrip()


def end_before_chat(text: str, cursor: Cursor, *, growing: bool = False) -> int | None:
    """Return the offset of the first line that is a fence or a sentence and not code; None where there is none.

    Of a text that is still `growing`, the last line may yet become code: it is only looked at for a fence.
    """
    if cursor.syntax.prose:
        return None
    known = cursor.syntax is not UNKNOWN
    starts = line_starts(text)
    for number, start in enumerate(starts):
        if number == 0 and cursor.line_prefix.strip():
            continue  # the rest of a line that somebody began
        line = text[start:].split("\n", 1)[0]
        whole = not growing or number + 1 < len(starts)
        is_chat = (
            FENCE.match(line)
            or (known and HEADING.match(line) and cursor.syntax.family in ("braces", "free"))
            or (known and whole and (SENTENCE.match(line) or LONE_WORD.match(line)))
        )
        if is_chat and cursor.balance.in_code(cursor.balance.opened_behind(text[:start])):
            return start
    return None
