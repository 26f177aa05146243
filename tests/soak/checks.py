"""What an answer must be like, given the text that it was asked for. Pure functions: they return complaints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.soak.documents import UTF_16, ClientDocument, Text, line_ends, units

CANCELLED = {-32800, -32801, -32802}
"""Error codes that stand for "no answer any more"."""

FLAT = 0.05
"""Share by which the median of the last quarter may lie above that of the first."""

LEDGER_HANDLES = 4
"""An open SQLite file with its write-ahead log and that log's index.

And the file once more: SQLite keeps the handle of a connection that was closed while another one to the same file was
open, and uses it for the next.
"""

FEWEST_SAMPLES = 24
"""Memory is judged from this many samples on, after warming up."""


@dataclass(frozen=True)
class Asked:
    """A request for suggestions, and the text that it was made in. `offset` is None for a place outside the text."""

    document: ClientDocument
    state: int
    text: Text
    offset: int | None
    line_end: str | None
    selected: tuple[int, int, str] | None = None
    """Begin, end and text of the entry that is selected in the editor's menu."""

    @classmethod
    def now(cls, document: ClientDocument, offset: int | None, selected: tuple[int, int, str] | None = None) -> Asked:
        """Return the request as of the document's present state."""
        return cls(document, document.state, document.text, offset, document.line_end, selected)


def complaints_about_items(asked: Asked, items: Sequence[dict[str, Any]]) -> list[str]:
    """Say what is wrong with the items of an answer; each is {range, insertText} or {textEdit: {range, newText}}."""
    if not items:
        return []
    if asked.state < asked.document.seen_state:
        return [f"stale: asked in state {asked.state}, the server has read state {asked.document.seen_state}"]
    return [complaint for item in items for complaint in complaints_about_item(asked, item)]


def complaints_about_item(asked: Asked, item: dict[str, Any]) -> list[str]:
    """Say what is wrong with one item."""
    where, new = edit_of(item)
    if not new:
        return ["empty: an item without text"]
    if asked.offset is None:
        return []  # an editor never asks outside its text: being answered is enough
    start, end = asked.text.offset(where["start"]), asked.text.offset(where["end"])
    if start is None or end is None:
        return [f"range: {where} is no place in the text"]
    first, last = asked.text.line_of(asked.offset)
    if not first <= start <= asked.offset <= end <= last:
        return [f"range: {start}..{end} does not hold the cursor {asked.offset} in its line {first}..{last}"]
    if asked.selected is not None:
        begin, until, text = asked.selected
        if start != begin or end < until or not new.startswith(text):
            return [f"selected: {start}..{end} {new[:20]!r} does not go on from {begin}..{until} {text[:20]!r}"]
    return complaints_about_line_ends(asked, new)


def complaints_about_line_ends(asked: Asked, new: str) -> list[str]:
    """Say whether accepting brings line ends that the document does not have; a mixed document may get any."""
    others = line_ends(new) - {asked.line_end}
    if asked.line_end is None or not others:
        return []
    return [f"line ends: {sorted(others)!r} in a document with {asked.line_end!r}"]


def edit_of(item: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the range and the new text of an item of inline completion or of a completion menu."""
    edit = item.get("textEdit")
    if edit is not None:
        return edit["range"], edit["newText"]
    return item["range"], item["insertText"]


def first_units(text: str, count: int) -> str:
    """Return the beginning of a text that has at most so many UTF-16 units."""
    end = min(count, len(text))
    while units(text[:end], UTF_16) > count:
        end -= 1
    return text[:end]


def lost_handles(before: Sequence[str], after: Sequence[str], ledger: str) -> list[str]:
    """Return the open handles that should be closed, given all of two quiet moments and the path of the ledger.

    A server has its ledger open once or, while that is locked or missing, not at all.
    """
    of_ledger = [handle for handle in after if handle.startswith(ledger)]
    left = [handle for handle in before if not handle.startswith(ledger)]
    new = []
    for handle in after:
        if handle in left:
            left.remove(handle)
        elif not handle.startswith(ledger):
            new.append(handle)
    # Sockets and pipes have a number of their own: one that replaces another is no loss.
    return new[len(left) :] + of_ledger[LEDGER_HANDLES:]


def growth(samples: Sequence[float]) -> float | None:
    """Return by what share the last quarter's median lies above the first's, None of too few samples.

    A server that packs a model's weights anew needs twice its memory for some seconds: how many such seconds fall into
    a quarter says nothing about a leak.
    """
    quarter = len(samples) // 4
    if len(samples) < FEWEST_SAMPLES:
        return None
    return median(samples[-quarter:]) / median(samples[:quarter]) - 1


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of the values lies, None of nothing."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else None
