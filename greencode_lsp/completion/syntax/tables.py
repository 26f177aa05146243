"""What the scanner has to know of a language, compiled into regular expressions.

Pygments' lexers know more, but take 80 ms for 2,000 lines of Python where these expressions take 2, cannot go on from
the middle of a file, and some read on to the next quote of the file where a string has no end yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

BRACKETS = {"(": ")", "[": "]", "{": "}"}
OPENERS = {closer: opener for opener, closer in BRACKETS.items()}

HOLE = "{…"
"""The mark of an expression inside a string, such as `${x}`: a `}` closes it."""

VOID_ELEMENTS = frozenset(
    "area,base,br,col,embed,hr,img,input,link,meta,param,source,track,wbr,!doctype,?xml".split(",")  # noqa: SIM905
)
"""HTML elements without content, which have no end tag (HTML Living Standard, 13.1.2)."""

OPTIONAL_ENDS = frozenset(
    "li,p,dt,dd,tr,td,th,thead,tbody,tfoot,option,optgroup,colgroup,body,html,head".split(",")  # noqa: SIM905
)
"""HTML elements whose end tag may be left out (HTML Living Standard, 13.1.2.4)."""

BLOCKS = frozenset(
    "address,article,aside,blockquote,details,div,dl,fieldset,figcaption,figure,footer,form,h1,h2,h3,h4,h5,h6,header,"  # noqa: SIM905
    "hgroup,hr,main,menu,nav,ol,p,pre,section,table,ul".split(",")
)

ENDED_BY: dict[str, frozenset[str]] = {
    "p": BLOCKS,
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "tr": frozenset({"tr"}),
    "td": frozenset({"td", "th", "tr"}),
    "th": frozenset({"td", "th", "tr"}),
    "option": frozenset({"option", "optgroup"}),
    "optgroup": frozenset({"optgroup"}),
}
"""Start tags that end an HTML element which they stand directly in (the same section)."""


@dataclass(frozen=True)
class StringForm:
    r"""One way to write a string. `name` is its mark on the scanner's stack, `opens` a regular expression.

    `hole` opens an expression inside it, and is written twice to mean itself where it is a single brace. Without
    `escapes`, a backslash is an ordinary character. A string that is not `multiline` ends with its line at the latest.
    """

    name: str
    opens: str
    close: str
    multiline: bool = False
    escapes: bool = True
    hole: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matters inside the string: its end, what is escaped, a hole, and a line break where it may have none."""
        doubled = re.escape(self.hole * 2) if len(self.hole) == 1 else ""
        parts = [
            r"(?P<skip>\\[\s\S]" + (f"|{doubled})" if doubled else ")") if self.escapes else "",
            f"(?P<close>{re.escape(self.close)})",
            f"(?P<hole>{re.escape(self.hole)})" if self.hole else "",
            "" if self.multiline else r"(?P<broken>[\r\n])",
        ]
        return re.compile("|".join(part for part in parts if part))


ATTRIBUTES = tuple(StringForm(f"={quote}", quote, quote, multiline=True, escapes=False) for quote in "\"'")
"""Values of attributes in tags."""


@dataclass(frozen=True, eq=False)
class Syntax:
    """A language: its comments, strings and, with `markup` or `jsx`, tags.

    `line_comments` are regular expressions, `block_comments` pairs of texts. `literals` is a regular expression for
    what is to be passed over as a whole, such as a character of Rust, and `heredocs` one for what begins a text that
    goes on to a line with the name in it. A language with `markup` begins in text and not in code; with `html`,
    elements may lack an end. With `regexes`, a slash where a value is expected begins a regular expression, as in
    JavaScript. `family` says how statements end: "braces" (with semicolons), "free" (without), "indent" or "".
    `prose` languages hold sentences. With `case_labels`, a `)` that nothing has opened may end the pattern of a
    `case`, as in a shell.
    """

    name: str
    family: str = ""
    line_comments: tuple[str, ...] = ()
    block_comments: tuple[tuple[str, str], ...] = ()
    strings: tuple[StringForm, ...] = ()
    literals: str = ""
    regexes: bool = False
    jsx: bool = False
    markup: bool = False
    html: bool = False
    prose: bool = False
    heredocs: str = ""
    case_labels: bool = False

    @cached_property
    def string_forms(self) -> dict[str, StringForm]:
        """The string forms by name, with those of attributes where there are tags."""
        forms = (*self.strings, *ATTRIBUTES) if self.jsx or self.markup else self.strings
        return {form.name: form for form in forms}

    @cached_property
    def comment_ends(self) -> dict[str, re.Pattern[str]]:
        """What ends each block comment, by its opening."""
        return {opening: re.compile(re.escape(closing)) for opening, closing in self.block_comments}

    @cached_property
    def code_pattern(self) -> re.Pattern[str]:
        """What matters in code. Its group `string` holds the opening of a string, `whole` all of a simple one."""
        simple = [form for form in self.strings if not form.hole and not form.multiline and len(form.close) == 1]
        body = r"(?:[^{quote}\\\r\n]++|\\[\s\S])*+"
        whole = [form.opens + body.format(quote=re.escape(form.close)) + re.escape(form.close) for form in simple]
        opens = [f"(?P<s{index}>{form.opens})" for index, form in enumerate(self.strings)]
        # A longer delimiter comes first: three quotes are not one.
        order = sorted(range(len(opens)), key=lambda index: -len(self.strings[index].close))
        long = [opens[index] for index in order if len(self.strings[index].close) > 1]
        short = [opens[index] for index in order if len(self.strings[index].close) == 1]
        parts = [
            f"(?P<line>{'|'.join(self.line_comments)})" if self.line_comments else "",
            f"(?P<block>{'|'.join(re.escape(opening) for opening, _ in self.block_comments)})"
            if self.block_comments
            else "",
            f"(?P<literal>{self.literals})" if self.literals else "",
            f"(?P<heredoc>{self.heredocs})" if self.heredocs else "",
            *long,
            f"(?P<whole>{'|'.join(whole)})" if whole else "",
            *short,
            r"(?P<endtag></[\w.:-]*\s*>)" if self.jsx or self.markup else "",
            r"(?P<tag><(?=[A-Za-z_$][\w.$:-]*(?:\s(?!extends\b)|/?>)|>))" if self.jsx else "",
            r"(?P<slash>/)" if self.regexes else "",
            r"(?P<open>[(\[{])|(?P<shut>[)\]}])",
            f"(?P<stray>{'|'.join(re.escape(end) for _, end in self.block_comments if end not in OPENERS)})"
            if self.block_comments
            else "",
        ]
        return re.compile("|".join(part for part in parts if part))


TEXT_PATTERN = re.compile(
    r"(?P<comment><!--)|(?P<stray>-->)|(?P<endtag></[\w.:-]*\s*>)|(?P<tag><(?=[A-Za-z!?][\w.:-]*|>))|(?P<open>\{)"
)
"""What matters in the text of an element."""

TAG_PATTERN = re.compile(
    r"(?P<whole>\"[^\"]*\"|'[^']*')|(?P<quote>[\"'])|(?P<empty>/>)|(?P<end>(?<!=)>)|(?P<open>\{)|(?P<stray>[)}\]])|(?P<broken><)"
)
"""What matters inside a tag, between `<name` and `>`."""

REGEX_LITERAL = re.compile(r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\r\n])*+\]|[^/\\\[\r\n])++/[a-z]*")
