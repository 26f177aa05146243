"""Small rows of our own in the data sets' formats, written to a folder as `--data` wants it."""

import gzip
import json
from pathlib import Path
from typing import Any

PYTHON_FILE = '''"""Readings of a thermometer, one a minute."""

import json
from statistics import mean


class Readings:
    """Keeps the temperatures of a day."""

    def __init__(self, limit):
        self.limit = limit
        self.values = []

    def add(self, value):
        if value is None:
            return False
        self.values.append(value)
        if len(self.values) > self.limit:
            self.values.pop(0)
        return True

    def average(self):
        if not self.values:
            return None
        return mean(self.values)

    def as_json(self):
        return json.dumps({"limit": self.limit, "values": self.values})
'''

JAVA_FILE = """package home.garden;

import java.util.ArrayList;
import java.util.List;

public class Watering {
    private final List<Integer> litres = new ArrayList<>();

    public void add(int amount) {
        if (amount < 0) {
            throw new IllegalArgumentException("negative");
        }
        litres.add(amount);
    }

    public int total() {
        int sum = 0;
        for (int amount : litres) {
            sum += amount;
        }
        return sum;
    }
}
"""

HUMANEVAL = [
    {
        "task_id": "SingleLineInfilling/HumanEval/900/L1",
        "entry_point": "double",
        "prompt": 'def double(number: int) -> int:\n    """Return twice the number."""\n',
        "suffix": "    return result\n",
        "canonical_solution": "    result = number * 2\n",
        "test": "def check(candidate):\n    assert candidate(4) == 8\n    assert candidate(0) == 0\n",
    },
    {
        "task_id": "SingleLineInfilling/HumanEval/901/L2",
        "entry_point": "last",
        "prompt": 'def last(items: list) -> object:\n    """Return the last item."""\n    count = len(items)\n',
        "suffix": "",
        "canonical_solution": "    return items[count - 1]\n",
        "test": "def check(candidate):\n    assert candidate([1, 2]) == 2\n",
    },
]


def raw_row(file: str, before: str, repository: str) -> dict[str, Any]:
    """Cut a file in front of the first place where `before` ends."""
    cut = file.index(before) + len(before)
    prompt, rest = file[:cut], file[cut:]
    return {
        "prompt": prompt,
        "target_line": rest.split("\n", 1)[0],
        "starts_line": prompt.endswith("\n"),
        "repo": repository,
    }


RAW = {
    "py150": [
        raw_row(PYTHON_FILE, "        self.limit", "one/thermometer"),
        raw_row(PYTHON_FILE, "        if value is None:\n", "one/thermometer"),
        raw_row(PYTHON_FILE, "        return mean", "two/thermometer"),
    ],
    "javacorpus": [
        raw_row(JAVA_FILE, "        litres", "one/garden"),
        raw_row(JAVA_FILE, "        int sum = 0;\n", "two/garden"),
    ],
}

LINES = {
    "py150": [
        {
            "input": "<s> import os <EOL> def names ( folder ) : <EOL> for name in os . listdir ( folder ) : "
            "<EOL> yield",
            "gt": "os . path . join ( folder , name )",
        },
        {"input": "<s> def greet ( ) : <EOL> print", "gt": "( '<STR_LIT>' )"},
        {"input": "<s> x = <NUM_LIT:1> <EOL> if x : <EOL> y = x + <NUM_LIT:1> <EOL> else : <EOL>", "gt": "y = x"},
    ],
    "javacorpus": [
        {
            "input": "<s> package a ; class B { int size ( ) { return this . items",
            "gt": ". size ( ) ;",
        },
        {"input": "<s> class B { void run ( )", "gt": "throws Problem { start ( ) ;"},
    ],
}

LITERALS = {"str": ["utf-8"], "num": ["0", "1"], "char": ["x"]}


def write_rows(folder: Path) -> Path:
    """Write every file of every suite."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RAW:
        write_lines(folder / f"{name}_raw.jsonl.gz", RAW[name])
        write_lines(folder / f"{name}_line.jsonl", LINES[name])
        (folder / f"{name}_literals.json").write_text(json.dumps(LITERALS), encoding="utf-8")
    write_lines(folder / "humaneval_single_line_infilling.jsonl", HUMANEVAL)
    return folder


def write_lines(path: Path, rows: list[Any]) -> None:
    """Write JSON lines; a text among the rows is written as it is."""
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
