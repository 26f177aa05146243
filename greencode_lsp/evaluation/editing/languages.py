"""The languages whose files are edited: their file names, LSP language ids and tree-sitter grammars."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any

from greencode_lsp.errors import installing
from greencode_lsp.evaluation.errors import EvaluationError


@dataclass(frozen=True)
class FileType:
    """What a file's ending tells: the row of the table it counts in, its LSP language id and its grammar."""

    language: str
    language_id: str
    grammar: str


ENDINGS: dict[str, FileType] = {
    ".py": FileType("python", "python", "python"),
    ".java": FileType("java", "java", "java"),
    ".js": FileType("javascript", "javascript", "javascript"),
    ".mjs": FileType("javascript", "javascript", "javascript"),
    ".cjs": FileType("javascript", "javascript", "javascript"),
    ".ts": FileType("typescript", "typescript", "typescript"),
    ".mts": FileType("typescript", "typescript", "typescript"),
    ".jsx": FileType("jsx/tsx", "javascriptreact", "javascript"),
    ".tsx": FileType("jsx/tsx", "typescriptreact", "tsx"),
    ".go": FileType("go", "go", "go"),
    ".c": FileType("c", "c", "c"),
    ".h": FileType("c", "c", "c"),
    ".rs": FileType("rust", "rust", "rust"),
    ".html": FileType("html", "html", "html"),
    ".htm": FileType("html", "html", "html"),
    ".json": FileType("json", "json", "json"),
    ".yaml": FileType("yaml", "yaml", "yaml"),
    ".yml": FileType("yaml", "yaml", "yaml"),
}

LANGUAGES = tuple(dict.fromkeys(each.language for each in ENDINGS.values()))

INDENTED_BLOCKS = ("python", "yaml")
"""Languages whose blocks are told by their indentation alone, below a line that ends in a colon."""

MARKUP = ("html", "jsx/tsx")
"""Languages with tags."""

VOID_TAGS = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
OPTIONAL_END_TAGS = re.compile(
    "body|colgroup|dd|dt|head|html|li|optgroup|option|p|rb|rp|rt|rtc|tbody|td|tfoot|th|thead|tr"
)
"""HTML elements that need no end tag."""

_FUNCTIONS = {"typescript": ("typescript", "language_typescript"), "tsx": ("typescript", "language_tsx")}


def file_type(path: str) -> FileType | None:
    """Return what the name of a file tells about it, None where that is no language of ours."""
    return ENDINGS.get(PurePosixPath(path).suffix.lower())


@cache
def parser_of(grammar: str) -> Any:
    """Return a tree-sitter parser; raise `EvaluationError` where tree-sitter or the grammar is missing."""
    module, function = _FUNCTIONS.get(grammar, (grammar, "language"))
    try:
        from tree_sitter import Language, Parser

        return Parser(Language(getattr(import_module(f"tree_sitter_{module}"), function)()))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise EvaluationError(
            f"syntax errors are counted with tree-sitter's grammar for {grammar}: {installing('eval')}"
        ) from error
