"""Python source as the data set's tokens: no comments, no indentation, `<EOL>` for line ends, literals masked."""

import io
import re
import tokenize
from collections.abc import Iterator

from greencode_lsp.evaluation.codexglue.literals import Literals, escape

END_OF_LINE = "<EOL>"

_STRING = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\")")
_LINE_ENDS = (tokenize.NEWLINE, tokenize.NL)
_LAYOUT = (tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def python_tokens(source: str, literals: Literals) -> list[str]:
    """Return the tokens of a source text that is whole; raise `SyntaxError` or `tokenize.TokenError` otherwise."""
    found: list[str] = []
    for token in _tokens(source, literals):
        if token != END_OF_LINE or (found and found[-1] != END_OF_LINE):
            found.append(token)
    return found[:-1] if found and found[-1] == END_OF_LINE else found


def python_line_tokens(text: str, literals: Literals) -> list[str]:
    """Return the tokens of a line, which may end inside a bracket or a string: what comes before that stands."""
    found: list[str] = []
    try:
        for token in _tokens(text.strip(), literals):
            if token != END_OF_LINE:
                found.append(token)
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def _tokens(source: str, literals: Literals) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = " ".join(token.string.split())
        if token.type in _LINE_ENDS:
            yield END_OF_LINE
        elif token.type == tokenize.STRING:
            yield _string(text, literals)
        elif token.type == tokenize.NUMBER:
            yield literals.mark("NUM", text)
        elif token.type not in _LAYOUT and text:
            yield text


def _string(text: str, literals: Literals) -> str:
    match = _STRING.match(text)
    assert match is not None, "a string begins with its quotes"
    quote, body = match.group(2), text[match.end() :]
    end = quote if body.endswith(quote) else ""
    return match.group(1) + quote + literals.mark("STR", escape(body.removesuffix(quote))) + end
