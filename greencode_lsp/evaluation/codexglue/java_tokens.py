"""Java source as the data set's tokens: no comments, no lines, literals masked."""

import re

from greencode_lsp.evaluation.codexglue.literals import Literals, escape

_TOKEN = re.compile(
    r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<string>"(?:\\.|[^"\\\n])*")
    | (?P<character>'(?:\\.[^']*|[^'\\])')
    | (?P<number>0[xX][0-9a-fA-F_]+[lL]?|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?[lLfFdD]?)
    | (?P<word>[A-Za-z_$][\w$]*)
    | (?P<other>>>>=|<<=|>>=|\.\.\.|->|::|\+\+|--|&&|\|\||==|!=|<=|>=|\+=|-=|\*=|/=|&=|\|=|\^=|%=|<<
        |[-+*/%&|^~!<>=?:;,.(){}\[\]@])
    """,
    re.X | re.S,
)


def java_tokens(source: str, literals: Literals) -> list[str]:
    """Return the tokens of a source text or of any part of one; what is no token is left out."""
    found = []
    for match in _TOKEN.finditer(source):
        kind, text = match.lastgroup, match.group()
        if kind == "string":
            found.append('"' + literals.mark("STR", escape(text[1:-1])) + '"')
        elif kind == "character":
            body = text[1:-1]
            found.append(
                "'" + (literals.mark("CHAR", escape(body)) if len(body) == 1 else literals.mark("STR", body)) + "'"
            )
        elif kind == "number":
            found.append(literals.mark("NUM", text))
        elif kind != "comment":
            found.append(text)
    return found
