"""The languages that the scanner knows, by the language ids of LSP."""

from __future__ import annotations

from functools import cache

from greencode_lsp.completion.syntax.tables import StringForm, Syntax

HASH = r"#[^\r\n]*"
SPACED_HASH = r"(?<!\S)#[^\r\n]*"
SLASHES = r"//[^\r\n]*"
DASHES = r"--[^\r\n]*"
SEMICOLON = r";[^\r\n]*"
C_BLOCK = ("/*", "*/")
HEREDOC = r"(?<!<)<<[~-]?[ \t]*[\"']?[A-Z_][A-Z_0-9]*\b[\"']?"
PHP_HEREDOC = r"<<<[ \t]*[\"']?[A-Z_][A-Z_0-9]*\b[\"']?"

DOUBLE = StringForm('"', '"', '"')
SINGLE = StringForm("'", "'", "'")
LONG_DOUBLE = StringForm('"' * 3, '"' * 3, '"' * 3, multiline=True)
LONG_SINGLE = StringForm("'" * 3, "'" * 3, "'" * 3, multiline=True)
RAW_BACKTICK = StringForm("`", "`", "`", multiline=True, escapes=False)
TEMPLATE = StringForm("`", "`", "`", multiline=True, hole="${")
SHELL_DOUBLE = StringForm('"', '"', '"', multiline=True)
SHELL_SINGLE = StringForm("'", "'", "'", multiline=True, escapes=False)
# In YAML a quote inside a word is an apostrophe, and strings may go over several lines.
YAML_DOUBLE = StringForm('"', r'(?<![^\s\[{,:-])"', '"', multiline=True)
YAML_SINGLE = StringForm("'", r"(?<![^\s\[{,:-])'", "'", multiline=True, escapes=False)


def python_strings() -> tuple[StringForm, ...]:
    """Return Python's strings; those with an f in front have expressions in braces."""
    forms = []
    for quote in ('"""', "'''", '"', "'"):
        long = len(quote) == 3
        formatted = rf"(?<![A-Za-z0-9_])(?:[fFtT][rR]?|[rR][fFtT]){quote}"
        forms.append(StringForm(f"f{quote}", formatted, quote, multiline=long, hole="{"))
        forms.append(StringForm(quote, quote, quote, multiline=long))
    return tuple(forms)


def raw_rust_strings() -> tuple[StringForm, ...]:
    """Return Rust's raw strings with up to two hashes."""
    return tuple(
        StringForm(f'r{hashes}"', rf'\bb?r{hashes}"', f'"{hashes}', multiline=True, escapes=False)
        for hashes in ("##", "#", "")
    )


RAW_C = StringForm('R"(', r'\b(?:u8|[LuU])?R"\(', ')"', multiline=True, escapes=False)
# A quote between digits separates them.
C_LIKE = Syntax(
    "c", "braces", (SLASHES,), (C_BLOCK,), (RAW_C, DOUBLE, SINGLE), literals=r"(?<=[0-9A-Fa-f])'(?=[0-9A-Fa-f])"
)
JAVASCRIPT = Syntax("javascript", "free", (SLASHES,), (C_BLOCK,), (DOUBLE, SINGLE, TEMPLATE), regexes=True)
JSX = Syntax("jsx", "free", (SLASHES,), (C_BLOCK,), (DOUBLE, SINGLE, TEMPLATE), regexes=True, jsx=True)
JAVA = Syntax("java", "braces", (SLASHES,), (C_BLOCK,), (LONG_DOUBLE, DOUBLE, SINGLE))
CSHARP = Syntax(
    "csharp",
    "braces",
    (SLASHES,),
    (C_BLOCK,),
    (
        LONG_DOUBLE,
        StringForm('@"', r'\$?@\$?"', '"', multiline=True, escapes=False),
        StringForm('$"', r'\$"', '"', hole="{"),
        DOUBLE,
        SINGLE,
    ),
)
GO = Syntax("go", "free", (SLASHES,), (C_BLOCK,), (DOUBLE, SINGLE, RAW_BACKTICK))
# A quote in Rust mostly names a lifetime: only a whole character is a literal.
RUST = Syntax(
    "rust",
    "braces",
    (SLASHES,),
    (C_BLOCK,),
    (*raw_rust_strings(), StringForm('"', '"', '"', multiline=True)),
    literals=r"b?'(?:[^'\\\r\n]|\\[^\r\n][^'\r\n]*+)'",
)
PYTHON = Syntax("python", "indent", (HASH,), (), python_strings())
SHELL = Syntax(
    "shell",
    "",
    (r"(?<![^\s;(])#[^\r\n]*",),
    (),
    (SHELL_DOUBLE, SHELL_SINGLE),
    literals=r"\\.",
    heredocs=HEREDOC,
    case_labels=True,
)
YAML = Syntax("yaml", "", (SPACED_HASH,), (), (YAML_DOUBLE, YAML_SINGLE), prose=True)
TOML = Syntax("toml", "", (HASH,), (), (LONG_DOUBLE, LONG_SINGLE, DOUBLE, SINGLE), prose=True)
JSON = Syntax("json", "", (SLASHES,), (C_BLOCK,), (DOUBLE,))
JSON_LINES = Syntax("jsonl", "", (), (), (DOUBLE,))
RUBY_DOUBLE = StringForm('"', '"', '"', multiline=True, hole="#{")
RUBY = Syntax("ruby", "", (SPACED_HASH,), (("=begin", "=end"),), (RUBY_DOUBLE, SINGLE), heredocs=HEREDOC)
PHP_SINGLE = StringForm("'", "'", "'", multiline=True)
PHP = Syntax("php", "braces", (SLASHES, HASH), (C_BLOCK,), (SHELL_DOUBLE, PHP_SINGLE), heredocs=PHP_HEREDOC)
SWIFT = Syntax("swift", "free", (SLASHES,), (C_BLOCK,), (LONG_DOUBLE, DOUBLE))
KOTLIN = Syntax("kotlin", "free", (SLASHES,), (C_BLOCK,), (LONG_DOUBLE, DOUBLE, SINGLE))
SCALA = Syntax("scala", "free", (SLASHES,), (C_BLOCK,), (LONG_DOUBLE, DOUBLE), literals=r"'(?:[^'\\\r\n]|\\.)'")
DART = Syntax("dart", "braces", (SLASHES,), (C_BLOCK,), (LONG_DOUBLE, LONG_SINGLE, DOUBLE, SINGLE))
LUA = Syntax(
    "lua",
    "",
    (r"--(?!\[\[)[^\r\n]*",),
    (("--[[", "]]"),),
    (StringForm("[[", r"\[\[", "]]", multiline=True, escapes=False), DOUBLE, SINGLE),
)
SQL = Syntax("sql", "", (DASHES,), (C_BLOCK,), (DOUBLE, SHELL_SINGLE), prose=True)
HASKELL = Syntax("haskell", "", (DASHES,), (("{-", "-}"),), (DOUBLE,), literals=r"\b'|'(?:[^'\\\r\n]|\\[^'\r\n]+)'")
LISP = Syntax("lisp", "", (SEMICOLON,), (("#|", "|#"),), (StringForm('"', '"', '"', multiline=True),), literals=r"\\.")
HASHED = Syntax("hashed", "", (HASH,), (), (DOUBLE, SINGLE))
ELIXIR = Syntax("elixir", "", (HASH,), (), (LONG_DOUBLE, LONG_SINGLE, DOUBLE, SINGLE))
CSS = Syntax("css", "braces", (), (C_BLOCK,), (DOUBLE, SINGLE))
SCSS = Syntax("scss", "braces", (r"(?<!:)//[^\r\n]*",), (C_BLOCK,), (DOUBLE, SINGLE))
HTML = Syntax(
    "html", "", (SLASHES,), (C_BLOCK,), (DOUBLE, SINGLE, TEMPLATE), regexes=True, markup=True, html=True, prose=True
)
XML = Syntax("xml", "", (), (), (), markup=True, prose=True)
PROSE = Syntax("prose", prose=True)
UNKNOWN = Syntax("unknown", "", (), (), (DOUBLE,))
"""Of a language that nobody named here, brackets and double quotes are likely to be what they are elsewhere."""

LANGUAGES: dict[Syntax, str] = {
    C_LIKE: "c cpp objective-c objective-cpp cuda-cpp arduino proto proto3 glsl hlsl wgsl zig d vala thrift h",
    JAVASCRIPT: "javascript typescript coffeescript qml",
    JSX: "javascriptreact typescriptreact",
    JAVA: "java groovy",
    CSHARP: "csharp fsharp razor",
    GO: "go go.mod",
    RUST: "rust",
    PYTHON: "python cython starlark bazel snakemake jupyter gdscript nim",
    SHELL: "shellscript bash sh zsh fish",
    YAML: "yaml dockercompose github-actions-workflow ansible helm",
    TOML: "toml ini properties conf editorconfig dotenv",
    JSON: "json jsonc json5",
    JSON_LINES: "jsonl ndjson",
    RUBY: "ruby crystal",
    PHP: "php hack",
    SWIFT: "swift",
    KOTLIN: "kotlin",
    SCALA: "scala",
    DART: "dart",
    LUA: "lua luau",
    SQL: "sql mysql pgsql plsql",
    HASKELL: "haskell purescript elm idris",
    LISP: "lisp clojure scheme racket commonlisp emacs-lisp elisp fennel",
    ELIXIR: "elixir",
    HASHED: "perl perl6 r julia makefile cmake dockerfile terraform hcl nix powershell tcl awk gitignore nginx",
    CSS: "css",
    SCSS: "scss less stylus sass postcss",
    HTML: "html vue svelte astro handlebars django-html jinja-html ejs erb vue-html",
    XML: "xml svg xsl xaml plist",
    PROSE: "plaintext markdown restructuredtext latex tex asciidoc text mdx quarto rmd typst log csv git-commit "
    "gitcommit git-rebase feature cucumber bibtex",
}

EXTENSIONS = (
    "c h cc:cpp cpp cxx:cpp hpp:cpp hh:cpp m:objective-c mm:objective-cpp cu:cuda-cpp ino:arduino proto zig d "
    "js:javascript mjs:javascript cjs:javascript ts:typescript mts:typescript cts:typescript qml coffee:coffeescript "
    "jsx:javascriptreact tsx:typescriptreact java groovy gradle:groovy cs:csharp fs:fsharp go rs:rust "
    "py:python pyi:python pyx:cython bzl:starlark gd:gdscript nim sh:shellscript bash zsh fish yaml yml:yaml "
    "toml ini cfg:ini properties env:dotenv json jsonc json5 jsonl ndjson rb:ruby cr:crystal php swift kt:kotlin "
    "kts:kotlin scala sc:scala dart lua sql hs:haskell elm clj:clojure lisp el:elisp scm:scheme rkt:racket ex:elixir "
    "exs:elixir pl:perl pm:perl r jl:julia mk:makefile cmake tf:terraform hcl nix ps1:powershell tcl awk css scss less "
    "sass html htm:html xml svg vue svelte astro hbs:handlebars md:markdown rst:restructuredtext tex adoc:asciidoc "
    "txt:text"
)
"""File name extensions, each with the language id where that is another word."""


@cache
def _by_id() -> dict[str, Syntax]:
    return {id: syntax for syntax, ids in LANGUAGES.items() for id in ids.split()}


@cache
def _by_extension() -> dict[str, str]:
    pairs = (entry.partition(":") for entry in EXTENSIONS.split())
    return {extension: id or extension for extension, _, id in pairs}


def language_of(path: str) -> str:
    """Return the LSP language id that a file's name speaks for, empty where it speaks for none."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if name in ("makefile", "dockerfile"):
        return name
    return _by_extension().get(name.rsplit(".", 1)[-1], "") if "." in name else ""


def syntax_of(language: str, path: str = "") -> Syntax:
    """Return what is known of a language, by its LSP id, or by a file's name where that id says nothing."""
    return _by_id().get(known_id(language, path), UNKNOWN)


def known_id(language: str, path: str = "") -> str:
    """Return an LSP language id, that of the file's name where the client's says nothing."""
    id = language.lower()
    id = ALIASES.get(id, id)
    return language_of(path) or id if id not in _by_id() or id == "plaintext" else id


ALIASES = {"jsx": "javascriptreact", "tsx": "typescriptreact", "py": "python", "js": "javascript", "ts": "typescript"}
