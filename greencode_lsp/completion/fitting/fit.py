"""A suggestion as it may be shown: nothing twice, nothing left open or closed that was not so before."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.fitting.endings import (
    as_the_next_line_wants,
    shorter,
    whole_part,
    with_closers,
    without_dangling_end,
)
from greencode_lsp.completion.fitting.indentation import with_own_indentation
from greencode_lsp.completion.fitting.joining import joined, only_closes, replaceable
from greencode_lsp.completion.fitting.repeats import repeats_line_above, without_foreign_closers, without_known_lines
from greencode_lsp.completion.fitting.residue import without_chat
from greencode_lsp.completion.fitting.statements import whole_forms
from greencode_lsp.completion.syntax.tables import BRACKETS

MOST_TRIED = 160
"""How many shorter beginnings of a suggestion are tried before it is given up."""

MOST_PARSED = 12
"""How many of them are parsed: each takes a millisecond or more in a long document."""

CALL = re.compile(r"(?<!\breturn)(?<!\bin)(?<!\bof)(?<=\w)\s*\($")
"""An opening bracket behind a name: with nothing in it, it is a call."""

WORD_REST = re.compile(r"\w+")


@dataclass(frozen=True)
class Fitted:
    """A suggestion's text, and how many characters behind the cursor on its line it replaces."""

    text: str
    replaces: int = 0


NOTHING = Fitted("")


def fit(text: str, cursor: Cursor, *, unfinished: bool = False, at_limit: bool = False) -> Fitted:
    """Fit what a model wrote to what stands around the cursor; the text is empty where nothing of it may be shown.

    `unfinished`: the model was stopped before it had come to an end, `at_limit` by the number of tokens. Then the text
    ends after the last complete statement or line. Tried in order: the whole text, the text with its brackets closed,
    shorter beginnings.
    """
    text = without_chat(text, cursor)
    text = with_own_indentation(text, cursor.line_prefix, cursor.line_above, lambda: cursor.indent_style)
    text = without_foreign_closers(without_known_lines(text, cursor), cursor)
    text = (
        whole_part(text, cursor.line_prefix, at_limit) if unfinished else as_the_next_line_wants(text.rstrip(), cursor)
    )
    if not text.strip() or is_misplaced(text, cursor):
        return NOTHING
    if cursor.line_suffix.strip():
        return fit_before_rest(text, cursor, unfinished)
    return first_kept(endings(text, cursor, unfinished), cursor, rest="")


def is_misplaced(text: str, cursor: Cursor) -> bool:
    """Say whether nothing may stand here: behind the one value of a JSON document, or code inside a tag."""
    opened = cursor.balance.opened
    if cursor.syntax.name == "json" and not opened:
        return cursor.prefix.rstrip().endswith(("}", "]"))
    in_tag = bool(opened) and opened[-1][0] == "<" and opened[-1][-1] != ">" and opened[-1] != "<!--"
    return in_tag and text.lstrip()[:1] in (")", "]", "}", ";", ",")


def fit_before_rest(text: str, cursor: Cursor, unfinished: bool) -> Fitted:
    """Fit a suggestion where text stands behind the cursor on its line."""
    rest = cursor.line_suffix
    if rest.lstrip().startswith(text.strip()):
        return NOTHING
    if only_closes(rest):
        return first_kept(endings(text, cursor, unfinished), cursor, rest)
    word = WORD_REST.match(rest)
    if word and (cursor.line_prefix[-1:].isalnum() or cursor.line_prefix[-1:] == "_"):
        return fit_inside_word(text, word.group(), cursor)
    text = joined(text, cursor)
    return first_kept(endings(text, cursor, unfinished), cursor, rest="") if text.strip() else NOTHING


def fit_inside_word(text: str, rest_of_word: str, cursor: Cursor) -> Fitted:
    """Fit a suggestion inside a word: it has to say the rest of that word, and is shown where nothing else follows."""
    behind = cursor.line_suffix[len(rest_of_word) :]
    if not text.startswith(rest_of_word) or text.strip() == rest_of_word or not only_closes(behind):
        return NOTHING
    return first_kept(iter([text]), cursor, cursor.line_suffix, least=len(rest_of_word))


def endings(text: str, cursor: Cursor, unfinished: bool) -> Iterator[str]:
    """Yield forms of a suggestion, the best first: whole, with its brackets closed, and ever shorter ones."""
    whole = without_known_lines(without_dangling_end(text, cursor), cursor) if unfinished else text.rstrip()
    if not whole.strip():
        return
    forms = [whole, *closed(whole, cursor, unfinished)]
    for form in forms:
        yield from whole_forms(form, cursor) if unfinished else (form,)
    for beginning in itertools.islice(shorter(whole), MOST_TRIED):
        yield from whole_forms(without_dangling_end(beginning, cursor), cursor)


def closed(text: str, cursor: Cursor, unfinished: bool) -> Iterator[str]:
    """Yield a suggestion with its brackets closed, where that makes sense: behind something that is in them."""
    last = text.rstrip()[-1:]
    if last in BRACKETS and last != "{" and (unfinished or (last == "(" and not CALL.search(text))):
        return
    if (whole := with_closers(text, cursor)) is not None:
        yield whole


def first_kept(forms: Iterator[str], cursor: Cursor, rest: str, least: int = 0) -> Fitted:
    """Return the first of some forms that fits, in place of as much of `rest` as it says again.

    It fits where brackets stay as balanced as they were and no syntax error is added.
    """
    parsed = 0
    for form in filter(str.strip, forms):
        for length in replaceable(form, rest):
            if length < least or not cursor.balance.is_kept(form, length) or repeats_line_above(form, length, cursor):
                continue
            text = with_separator(form, cursor, length)
            if cursor.grammar is None or cursor.grammar.is_kept(text, rest[:length]):
                return Fitted(text, length)
            parsed += 1
            if parsed == MOST_PARSED:
                return NOTHING
    return NOTHING


def with_separator(text: str, cursor: Cursor, replaces: int) -> str:
    """Return a text with what its language wants between it and what follows.

    That is a comma before another member of JSON, and none before a bracket; and a blank before a word of SQL.
    """
    if cursor.syntax.name == "sql" and text[-1:].isalnum() and cursor.line_suffix[replaces : replaces + 1].isalpha():
        return text if cursor.balance.in_string(cursor.balance.opened) else text + " "
    state = cursor.balance.opened_behind(text)
    if cursor.syntax.name != "json" or cursor.balance.in_string(state) or cursor.balance.in_comment(state):
        return text
    text = re.sub(r",(\s*[]}])", r"\1", text)
    following = cursor.suffix[replaces:].lstrip()[:1]
    if text.endswith(",") and following in BRACKETS.values():
        return text[:-1]
    whole = text.rstrip()[-1:] not in (",", ":", "{", "[")
    return text + "," if following in ('"', "{", "[") and whole and text.strip() else text
