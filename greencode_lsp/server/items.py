"""Suggestions as LSP's completion items, and back to the suggestion an item is of."""

from typing import Any

from lsprotocol import types

from greencode_lsp.completion.suggestion import Suggestion
from greencode_lsp.server.documents import Document

DID_ACCEPT = "greencode.didAccept"


def inline_item(
    document: Document,
    position: types.Position,
    suggestion: Suggestion,
    selected: types.SelectedCompletionInfo | None = None,
) -> types.InlineCompletionItem:
    """Turn a suggestion into what LSP calls an inline completion.

    With an entry of the editor's menu selected, the item has to take that entry's place and begin with its text.
    """
    begin, end = (position, position) if selected is None else (selected.range.start, selected.range.end)
    offset = document.offset_at_position(end)
    replaced = document.source[offset : offset + suggestion.replaces]
    return types.InlineCompletionItem(
        insert_text=(selected.text if selected is not None else "") + suggestion.text,
        range=types.Range(begin, document.position_after(end, replaced)),
        command=types.Command(title="greencode: accepted", command=DID_ACCEPT, arguments=[suggestion.id]),
    )


def menu_item(document: Document, position: types.Position, suggestion: Suggestion) -> types.CompletionItem:
    """Turn a suggestion into an entry of a completion menu."""
    item = inline_item(document, position, suggestion)
    assert item.range is not None
    return types.CompletionItem(
        label=suggestion.text.strip().splitlines()[0],
        kind=types.CompletionItemKind.Text,
        detail="greencode",
        documentation=suggestion.text,
        text_edit=types.TextEdit(item.range, suggestion.text),
        command=item.command,
    )


def completion_id(item: Any) -> str:
    """Return the id in an item's command; raise `ValueError` where there is none."""
    arguments = getattr(getattr(item, "command", None), "arguments", None)
    if not arguments or not isinstance(arguments[0], str):
        raise ValueError("the item has no command with a completion id")
    return arguments[0]
