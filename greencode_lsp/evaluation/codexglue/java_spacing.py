"""Where a Java line has spaces between its tokens, as most formatters write it."""

from collections.abc import Sequence

BEFORE_PARENTHESIS = frozenset(
    "if for while switch catch return throw synchronized try else do case assert new instanceof".split()  # noqa: SIM905
)

OPERATORS = frozenset(
    "= += -= *= /= %= &= |= ^= <<= >>= >>>= == != <= >= && || + - * / % & | ^ << >> >>> ? ->".split()  # noqa: SIM905
)

BEFORE_SIGN = OPERATORS | {"(", "[", "{", ",", ";", "}", ":", "return", "case", "<", ">"}

MODIFIERS = frozenset({".", "static", "public", "private", "protected", "final"})


class JavaLine:
    """Puts the tokens of one line together. Knows the open angle brackets of generics, and whether a label is open."""

    def __init__(self) -> None:
        self._angles = 0
        self._label = False
        self._sign = False
        self._generic = False
        self._before = ""

    def spaced(self, tokens: Sequence[str]) -> list[str]:
        """Return the tokens, each with the space before it where there is one."""
        return [self._space(token) + token for token in tokens]

    def _space(self, token: str) -> str:
        space = self._plain_space(token)
        generic = False
        if token == "<" and self._opens_generic():
            generic, space = True, "" if self._before[:1].isupper() or self._before == "." else " "
            self._angles += 1
        elif token in (">", ">>") and self._angles:
            generic, space = True, ""
            self._angles = max(0, self._angles - len(token))
        elif token in (";", "{", "&&", "||"):
            self._angles = 0
        if self._generic:
            space = self._space_after_generic(token)
        if token == ":" and self._label:
            space, self._label = "", False
        if token in ("case", "default"):
            self._label = True
        self._sign = self._is_sign(token)
        self._before, self._generic = token, generic
        return space

    def _plain_space(self, token: str) -> str:
        before = self._before
        if not before or token in (";", ",", ")", "]", ".", "[", "...", "::"):
            return ""
        if before in ("(", "[", ".", "@", "!", "~", "::") or self._sign:
            return ""
        if token == "(":
            return " " if before in BEFORE_PARENTHESIS | OPERATORS or before in (",", ";", "{", "}", ":") else ""
        if token in ("++", "--"):
            return "" if before[-1].isalnum() or before[-1] in ")]_" else " "
        return " "

    def _opens_generic(self) -> bool:
        before = self._before
        return (before[:1].isupper() and not before.isupper()) or before in MODIFIERS

    def _space_after_generic(self, token: str) -> str:
        if self._before == "<" or token in ("(", ")", ",", ">", "[", ".", ";", "::", ">>"):
            return ""
        return " "

    def _is_sign(self, token: str) -> bool:
        if token in ("!", "~"):
            return True
        return token in ("+", "-", "++", "--") and (not self._before or self._before in BEFORE_SIGN)
