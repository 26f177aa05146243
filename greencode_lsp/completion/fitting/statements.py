"""Whether a line is a whole statement: where a model was stopped, a suggestion ends behind one."""

from __future__ import annotations

import re

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.lines import split_lines

MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|static|final|abstract|async|pub(?:\([\w: ]*\))?|unsafe|inline|"
    r"virtual|override|open|data|sealed|const|extern|declare|suspend|synchronized)\s+)*"
)
BLOCK_HEADS = re.compile(
    MODIFIERS + r"(?:if|for|while|switch|match|else|try|catch|finally|do|loop|class|interface|struct|enum|union|trait|"
    r"impl|namespace|module|function|func|fn|fun|def|select|object|extension|protocol|constructor|record|unsafe)\b"
)
"""What begins a line that needs a block."""

DECLARATIONS = re.compile(
    r"(?:export|default|public|private|protected|static|final|pub|import|from|package|type|var|val|let|const|using|"
    r"typedef|extends|implements|use|mod|case|throw|#define|#|@)$"
)
"""Words that say nothing when they stand alone."""

PYTHON_HEADS = re.compile(r"(?:async\s+)?(?:if|for|while|with|def|class|try|else|elif|except|finally|match|case)\b")
INCOMPLETE_PYTHON = re.compile(
    r"@.*|(?:from\s+[\w.]+|from|import|raise\s+\w+\s+from|assert|del|global|nonlocal|lambda.*)$"
)
JAVASCRIPT_TYPE = re.compile(r"(?:export\s+)?(?:type|import|export)\b(?!\s*\()")
WHOLE_DIRECTIVE = re.compile(r"#\s*(?:(?:else|endif)\b|(?:if|ifdef|ifndef|define|include|undef|pragma)\s+\S)")
EXPRESSION_END = re.compile(r"(?:[\w)\]'\"`?]|\+\+|--)$")
STATEMENT = re.compile(
    r"(?:return|break|continue|throw|goto|use|import|package|let|const|var|using|typedef|delete)\b|.*[(=]"
)
JSON_MEMBER = re.compile(r'"(?:[^"\\]|\\.)*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-\w.+]+|[\[{].*|.*[\]}]),?$')
PARTIAL_TAG = re.compile(r"</?[\w.:-]*$")


def finished(text: str, cursor: Cursor) -> str | None:
    """Return a text whose last line is a whole statement, with the semicolon that it may lack; None where it is none.

    A line that stood there before the suggestion need not be whole: it was not before, either.
    """
    balance = cursor.balance
    state = balance.opened_behind(text)
    if balance.in_string(state) or balance.in_comment(state):
        return text
    if not balance.in_code(state):
        return PARTIAL_TAG.sub("", text).rstrip() or None
    lines = split_lines(text)
    line = lines[-1] if len(lines) > 1 else cursor.line_prefix + text
    if len(lines) == 1 and cursor.line_prefix.strip():
        return text
    content = line.strip()
    inside = state[-1] if state else ""
    if inside in ("(", "["):
        return text
    family = cursor.syntax.family
    if family == "indent":
        return text if is_whole_in_python(content) else None
    if cursor.syntax.name == "json":
        return text if not inside or JSON_MEMBER.match(content) or content[-1:] in "]}" else None
    if family not in ("braces", "free"):
        return text
    if content.endswith((";", "}", ":", "*/")) or content.startswith(("//", "/*", "*")):
        return text
    if content.startswith("#"):
        return text if WHOLE_DIRECTIVE.match(content) else None
    if content.endswith(","):
        return text if inside == "{" else None
    if content.startswith("@") or re.fullmatch(MODIFIERS, content + " "):
        return None
    if BLOCK_HEADS.match(content) or DECLARATIONS.match(content):
        return None
    return with_semicolon(text, content, cursor) if family == "braces" else whole_without(text, content, state, cursor)


def is_whole_in_python(content: str) -> bool:
    """Say whether a line of Python is whole: a head has its colon, an import its names."""
    if PYTHON_HEADS.match(content):
        return content.endswith(":") or "(" in content.split(None, 1)[0]
    return INCOMPLETE_PYTHON.match(content) is None


def with_semicolon(text: str, content: str, cursor: Cursor) -> str | None:
    """Return a statement that ends with a semicolon, or without where a closing brace follows in Rust."""
    if not EXPRESSION_END.search(content) or not STATEMENT.match(content):
        return None
    if cursor.syntax.name == "css" or cursor.syntax.name == "scss":
        return text + ";" if ":" in content else None
    tail = cursor.syntax.name == "rust" and cursor.next_character == "}"
    return text if tail else text + ";"


def whole_without(text: str, content: str, state: tuple[str, ...], cursor: Cursor) -> str | None:
    """Return a statement of a language without semicolons, None where it only names something."""
    if JAVASCRIPT_TYPE.match(content) and not re.search(r"[='\"}]", content):
        return None
    if re.match(r"(?:export\s+)?const\b", content) and "=" not in content:
        return None
    if cursor.syntax.regexes and re.search(r"=\s*\(\)$", content):
        return None
    if cursor.syntax.name == "go" and content.endswith("[]"):
        return None
    if cursor.syntax.name == "go" and not state and not re.search(r"[='\"]", content):
        return None
    if (
        cursor.syntax.name == "go"
        and re.fullmatch(r"[\w.]+", content)
        and content not in ("return", "break", "continue")
    ):
        return None
    return text if EXPRESSION_END.search(content) else None
