"""What an attempt's end means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.cases import Case

SANITIZER = re.compile(r"^.*(?:ERROR: AddressSanitizer|runtime error:|UndefinedBehaviorSanitizer).*$", re.MULTILINE)

TRACEBACK = re.compile(
    r"^(?:Traceback \(most recent call last\)|thread '.*' panicked|Fatal Python error).*", re.MULTILINE
)

REFUSAL = "greencode: "

LONGEST_LINE = 2000

RIGHT = ("same", "refused", "other model")
"""Verdicts that are no fault. "other model": a valid model that says something else, which nobody can know of."""


@dataclass(frozen=True)
class Verdict:
    """What became of an attempt, in one word or two; `detail` says more where it is a fault."""

    name: str
    detail: str = ""

    @property
    def right(self) -> bool:
        """Whether this is no fault."""
        return self.name in RIGHT


def judge(case: Case, ended: dict[str, Any], answer: dict[str, Any]) -> Verdict:
    """Return the verdict on an attempt by its exit, its output, and what the unmutated input answers."""
    stdout, stderr = (read(case.folder / name) for name in ("stdout", "stderr"))
    if found := SANITIZER.search(stderr):
        return Verdict("sanitizer", found[0].strip())
    if ended["stopped"]:
        return Verdict("hang" if ended["stopped"] == "time" else "memory", f"after {ended['seconds']} s")
    if ended["status"] < 0:
        return Verdict(f"signal {-ended['status']}", last_line(stderr))
    if TRACEBACK.search(stderr) or TRACEBACK.search(stdout):
        return Verdict("traceback", last_line(stderr))
    if ended["status"] == 1:
        return judge_refusal(case, stderr)
    if ended["status"]:
        return Verdict(f"status {ended['status']}", last_line(stderr))
    return judge_answer(case, json.loads(stdout), answer)


def judge_refusal(case: Case, stderr: str) -> Verdict:
    """Return the verdict on an attempt that was refused: with one line, and only where it may be."""
    lines = [line for line in stderr.splitlines() if line.startswith(REFUSAL)]
    at = stderr.find(REFUSAL)
    if len(lines) != 1 or stderr[at:].strip() != lines[0].strip() or len(lines[0]) > LONGEST_LINE:
        return Verdict("not one line", stderr[-500:])
    return Verdict("refused") if case.may_refuse else Verdict("refused a cache", lines[0])


def judge_answer(case: Case, found: dict[str, Any], answer: dict[str, Any]) -> Verdict:
    """Return the verdict on a text: where the mutation may not change it, it must be the unmutated input's."""
    if all(found.get(key) == answer.get(key) for key in answer):
        return Verdict("same")
    changed = [key for key in case.same if found.get(key) != answer.get(key)]
    return Verdict("silent other text", f"{changed[0]}: {found[changed[0]]}") if changed else Verdict("other model")


def read(path: Path) -> str:
    """Return what an attempt has written, nothing where it could not even begin."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def last_line(text: str) -> str:
    """Return the last line that says something: of a traceback, what was raised."""
    return next((line[:300] for line in reversed(text.splitlines()) if line.strip()), "")
