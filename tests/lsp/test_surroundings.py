"""A suggestion fits what stands around it, in the text that is left when the editor has taken it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from lsprotocol import types

from tests.lsp.conftest import OPTIONS, Editor, run

# Language, file, whether it was asked for explicitly, the text with the cursor as █, and the text afterwards.
CASES = {
    "a block in a method keeps its own brace": (
        "typescript",
        "cart.ts",
        True,
        "class Cart {\n  items: string[] = [];\n\n  add(item: string) {\n    if (!this.items.includes(item)) {\n"
        "      this.items.push(item);\n    }\n  }\n\n  remove(item: string) {\n    █\n  }\n}\n",
        "class Cart {\n  items: string[] = [];\n\n  add(item: string) {\n    if (!this.items.includes(item)) {\n"
        "      this.items.push(item);\n    }\n  }\n\n  remove(item: string) {\n    if (this.items.includes(item)) {\n"
        "      this.items.splice(this.items.indexOf(item), 1);\n    }\n  }\n}\n",
    ),
    "a loop in a Go function keeps its own brace": (
        "go",
        "loop.go",
        True,
        'package main\n\nimport "fmt"\n\nfunc printAll(xs []int) {\n\tfor _, x := range xs {\n\t\tfmt.Println(x)\n'
        "\t}\n}\n\nfunc printEven(xs []int) {\n\t█\n}\n",
        'package main\n\nimport "fmt"\n\nfunc printAll(xs []int) {\n\tfor _, x := range xs {\n\t\tfmt.Println(x)\n'
        "\t}\n}\n\nfunc printEven(xs []int) {\n\tfor _, x := range xs {\n\t\tfmt.Println(x)\n\t}\n}\n",
    ),
    "a loop in a C function keeps its own brace": (
        "c",
        "loop.c",
        False,
        "#include <stdio.h>\n\nvoid print_all(int *a, int n) {\n    for (int i = 0; i < n; i++) {\n"
        '        printf("%d\\n", a[i]);\n    }\n}\n\nvoid print_even(int *a, int n) {\n    █\n}\n',
        "#include <stdio.h>\n\nvoid print_all(int *a, int n) {\n    for (int i = 0; i < n; i++) {\n"
        '        printf("%d\\n", a[i]);\n    }\n}\n\nvoid print_even(int *a, int n) {\n'
        '    for (int i = 0; i < n; i++) {\n        printf("%d\\n", a[i]);\n    }\n}\n',
    ),
    "a callback keeps its own brace and bracket": (
        "javascript",
        "express.js",
        True,
        "app.get('/users', (req, res) => {\n  db.find({}, (err, users) => {\n    res.json(users);\n  });\n});\n\n"
        "app.get('/posts', (req, res) => {\n  █\n});\n",
        "app.get('/users', (req, res) => {\n  db.find({}, (err, users) => {\n    res.json(users);\n  });\n});\n\n"
        "app.get('/posts', (req, res) => {\n  db.find({}, (err, posts) => {\n    res.json(posts);\n  });\n});\n",
    ),
    "an auto-closed quote and bracket are written over": (
        "python",
        "env.py",
        False,
        "import os\nhost = os.environ.get('HOST', 'localhost')\nport = os.environ.get('█')\n",
        "import os\nhost = os.environ.get('HOST', 'localhost')\nport = os.environ.get('PORT', 8080)\n",
    ),
    "an auto-closed format string is written over": (
        "c",
        "print.c",
        False,
        '#include <stdio.h>\nint main(void) {\n    int x = 3;\n    printf("█");\n    return 0;\n}\n',
        '#include <stdio.h>\nint main(void) {\n    int x = 3;\n    printf("%d", x);\n    return 0;\n}\n',
    ),
    "no comma stays before a closing brace in JSON": (
        "json",
        "package.json",
        False,
        '{\n  "name": "demo",\n  "license": "█"\n}\n',
        '{\n  "name": "demo",\n  "license": "MIT"\n}\n',
    ),
    "a function that an argument begins is closed": (
        "javascript",
        "click.js",
        False,
        "const box = document.querySelector('#box');\nbox.addEventListener('█');\n",
        "const box = document.querySelector('#box');\nbox.addEventListener('click', function() {});\n",
    ),
    "an auto-closed string ends and the expression goes on": (
        "java",
        "Hello.java",
        False,
        'class A {\n    void f(String name) {\n        System.out.println("Hello █");\n    }\n}\n',
        'class A {\n    void f(String name) {\n        System.out.println("Hello " + name);\n    }\n}\n',
    ),
    "arguments end where those behind the cursor begin": (
        "python",
        "args.py",
        False,
        "def move(x, y, speed):\n    pass\n\nmove(█, y=2, speed=3)\n",
        "def move(x, y, speed):\n    pass\n\nmove(x, y=2, speed=3)\n",
    ),
    "a parameter ends where the next one begins": (
        "javascript",
        "add.js",
        False,
        "function add(a, █, c) {\n  return a + b + c;\n}\n",
        "function add(a, b, c) {\n  return a + b + c;\n}\n",
    ),
    "a name ends before the bracket behind it": (
        "javascript",
        "rename.js",
        False,
        "console.lo█(total);\n",
        "console.log(total);\n",
    ),
    "a name ends before the dot behind it": (
        "python",
        "rename.py",
        False,
        "import os\nx = os.pa█.join('a', 'b')\n",
        "import os\nx = os.path.join('a', 'b')\n",
    ),
    "a bracket left open before an argument is closed": (
        "python",
        "sort.py",
        False,
        "items.sort(key=lambda x: █, reverse=True)\n",
        "items.sort(key=lambda x: x[0], reverse=True)\n",
    ),
    "a brace left open before a JSX tag is closed": (
        "javascriptreact",
        "list.jsx",
        False,
        "function L({ items }) {\n  return <ul>{items.map(item => █)}</ul>;\n}\n",
        "function L({ items }) {\n  return <ul>{items.map(item => {})}</ul>;\n}\n",
    ),
    "nothing comes behind a finished JavaScript file": (
        "javascript",
        "sum.js",
        False,
        "function add(a, b) {\n  return a + b;\n}\n\nmodule.exports = add;\n█",
        None,
    ),
    "nothing comes behind a finished Python file": (
        "python",
        "main.py",
        False,
        "import sys\n\n\ndef main():\n    print(sys.argv)\n\n\nif __name__ == '__main__':\n    main()\n█",
        None,
    ),
    "nothing comes behind a finished Java file": (
        "java",
        "Main.java",
        False,
        "public class Main {\n    public static void main(String[] args) {\n        "
        'System.out.println("hello");\n    }\n}\n█',
        None,
    ),
    "no prose comes behind constants": ("python", "consts.py", False, "A = 1\nB = 2\nC = 3\n\n█", None),
    "a first line stands at the cursor's column": (
        "typescript",
        "add.ts",
        False,
        "export function add(a: number, b: number): number {\n  █\n}\n",
        "export function add(a: number, b: number): number {\n  return a + b;\n}\n",
    ),
    "a first line stands behind the cursor's tab": (
        "python",
        "addtab.py",
        False,
        "def add(a, b):\n\t█",
        "def add(a, b):\n\treturn a + b",
    ),
    "a statement behind a comment at the margin stands there": (
        "python",
        "load.py",
        True,
        "# Load the config\n█",
        "# Load the config\nconfig = load_config(config_file)",
    ),
    "a file with tabs gets tabs": (
        "python",
        "tabs.py",
        False,
        "class A:\n\tdef __init__(self):\n\t\tself.x = 1\n\n\tdef get(self):█\n",
        "class A:\n\tdef __init__(self):\n\t\tself.x = 1\n\n\tdef get(self):\n\t\treturn self.x\n",
    ),
    "at the limit of tokens the text ends with a whole line": (
        "python",
        "call.py",
        True,
        "result = compute(\n    first=1,\n    █\n)\n",
        "result = compute(\n    first=1,\n    second=2,\n    third=3,\n    fourth=4,\n    fifth=5,\n    sixth=6,\n"
        "    seventh=7,\n    eighth=8,\n    nth=9,\n)\n",
    ),
    "a comment is not said again": (
        "python",
        "home.py",
        True,
        "import os\n\ndef home():\n    return os.path.join(os.path.dirname(os.path.abspath(__file__)), 'home.txt')\n"
        "    # This is the default path to the home directory.\n    █",
        None,
    ),
    "the rest of a word is not written twice": (
        "python",
        "join.py",
        True,
        "import os\nos.path.jo█in('a', 'b')\n",
        None,
    ),
}


@pytest.fixture(scope="module")
async def long_editor(editor: Editor) -> AsyncIterator[Editor]:
    """Return the shared server, which suggests as much as it does by default."""

    async def configure(settings: dict[str, Any]) -> None:
        editor.client.set_configuration(settings, section="greencode")
        editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
        factor = settings.get("gridFactor", "world")
        while (await run(editor, "stats"))["today"]["gridFactor"]["name"] != factor:
            await asyncio.sleep(0.02)

    await configure({**OPTIONS, "maxTokens": 48, "gridFactor": "FRA"})
    yield editor
    await configure(OPTIONS)


@pytest.mark.parametrize("name", CASES)
async def test_what_is_left_when_a_suggestion_is_taken_is_right(long_editor: Editor, name: str) -> None:
    language, file, invoked, text, expected = CASES[name]
    assert await taken(long_editor, language, file, text, invoked) == expected


async def test_a_suggestion_in_a_method_stands_at_the_cursors_column(long_editor: Editor) -> None:
    after = await taken(long_editor, "python", "add.py", "def add(a, b):\n    █", False)
    assert after is None or after.split("\n")[1][4:5].strip(), after


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
async def test_a_suggestion_has_the_line_ends_of_its_document(long_editor: Editor, line_end: str) -> None:
    text = "class A:\n\tdef __init__(self):\n\t\tself.x = 1\n\n\tdef get(self):█\n"
    expected = text.replace("█", "\n\t\treturn self.x").replace("\n", line_end)
    assert await taken(long_editor, "python", "ends.py", text.replace("\n", line_end), False) == expected


async def test_a_document_with_other_line_ends_gets_the_same_text(long_editor: Editor) -> None:
    _, file, invoked, text, expected = CASES["a callback keeps its own brace and bracket"]
    assert expected is not None
    after = await taken(long_editor, "javascript", f"crlf_{file}", text.replace("\n", "\r\n"), invoked)
    assert after == expected.replace("\n", "\r\n")


async def taken(editor: Editor, language: str, file: str, text: str, invoked: bool) -> str | None:
    """Return the document once the suggestion at █ is in it, None where there is none."""
    before, behind = text.split("█")
    uri = editor.open(before + behind, language, uri=f"file:///tmp/surroundings/{file}")
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        items = await editor.suggest(uri, len(lines) - 1, len(lines[-1]), invoked)
    finally:
        editor.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    if not items:
        return None
    (item,) = items
    assert item.range is not None
    assert item.range.start == types.Position(len(lines) - 1, len(lines[-1]))
    assert item.range.end.line == len(lines) - 1
    replaced = item.range.end.character - item.range.start.character
    assert isinstance(item.insert_text, str)
    return before + item.insert_text + behind[replaced:]
