"""Documents as the client sees them: lines and columns in its own units, turned into offsets and back."""

from collections.abc import Callable
from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from greencode_lsp.completion.lines import line_starts

UnitCount = Callable[[str], int]
"""How many of the client's units a character is."""

UNITS: dict[str, UnitCount] = {
    types.PositionEncodingKind.Utf8: lambda character: len(character.encode("utf-8", errors="surrogatepass")),
    types.PositionEncodingKind.Utf16: lambda character: 2 if ord(character) > 0xFFFF else 1,
    types.PositionEncodingKind.Utf32: lambda character: 1,
}


class Document(TextDocument):
    """A text document with lines as LSP defines them, where pygls would also break at form feeds and U+2028."""

    def offset_at_position(self, client_position: types.Position) -> int:
        """Return the offset of a position; one behind the end of its line or of the text falls back to that end."""
        text, starts = self.source, line_starts(self.source)
        if client_position.line >= len(starts):
            return len(text)
        start = starts[client_position.line]
        end = starts[client_position.line + 1] if client_position.line + 1 < len(starts) else len(text)
        return start + characters(text[start:end].rstrip("\r\n"), client_position.character, self._units)

    def position_after(self, position: types.Position, text: str) -> types.Position:
        """Return the position behind `text`, which holds no line end, when it begins at `position`."""
        return types.Position(position.line, position.character + sum(map(self._units, text)))

    @property
    def _units(self) -> UnitCount:
        return UNITS[self._position_codec.encoding or types.PositionEncodingKind.Utf16]

    after_deletion = False
    """Whether the last change only took text away."""

    changes = 0
    """How often the text has changed: clients may leave out versions, or give the same one twice."""

    asked: tuple[int, int] | None = None
    """How many changes there were when an editor last asked by itself, and the offset it asked at."""

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        """Take a change of the text."""
        before = len(self.source)
        super().apply_change(change)
        self.changes += 1
        partial = isinstance(change, types.TextDocumentContentChangePartial)
        self.after_deletion = len(self.source) < before and not (partial and change.text)

    def moved_since_asked(self, offset: int) -> bool:
        """Say whether the text is that of the last time asked, but the place is another; note this time."""
        last, self.asked = self.asked, (self.changes, offset)
        return last is not None and last[0] == self.changes and last[1] != offset

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        text = self.source
        start, end = self.offset_at_position(change.range.start), self.offset_at_position(change.range.end)
        self._source = text[:start] + change.text + text[max(start, end) :]


class Documents(Workspace):
    """pygls' workspace, holding our documents."""

    @classmethod
    def like(cls, workspace: Workspace) -> "Documents":
        """Return an empty copy of a workspace; pygls always makes its own kind."""
        folders = list(workspace.folders.values())
        return cls(workspace.root_uri, workspace._sync_kind, folders, workspace.position_encoding)

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> Document:
        return Document(
            doc_uri,
            source=source,
            version=version,
            language_id=language_id,
            sync_kind=self._sync_kind,
            position_codec=self._position_codec,
        )

    def cells_above(self, cell: str) -> str | None:
        """Return the code of a notebook's cells above one of them, and None where that is no cell."""
        notebook = self.get_notebook_document(cell_uri=cell)
        if notebook is None:
            return None
        above: list[str] = []
        for other in notebook.cells:
            if unquote(other.document) == unquote(cell):
                break
            document = self.open_document(other.document)
            if other.kind is types.NotebookCellKind.Code and document is not None and document.source.strip():
                above.append(document.source.rstrip("\r\n") + "\n\n")
        return "".join(above)

    def open_document(self, uri: str) -> Document | None:
        """Return a document the client has open, never one read from disk."""
        document = self.text_documents.get(unquote(uri))
        return document if isinstance(document, Document) else None

    def is_current(self, document: Document, changes: int) -> bool:
        """Say whether the client still has that document open, and its text is that after so many changes."""
        return self.open_document(document.uri) is document and document.changes == changes


def characters(line: str, units: int, unit_count: UnitCount) -> int:
    """Return how many characters of a line the first `units` code units are; half a character counts whole."""
    seen = 0
    for index, character in enumerate(line):
        if seen >= units:
            return index
        seen += unit_count(character)
    return len(line)
