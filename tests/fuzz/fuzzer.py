"""Runs attempts, one after the other, in a process that forks; keeps those that are faults."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.cases import KINDS, Case, Seeds, describe
from tests.fuzz.seeds import FAMILIES, make_seeds
from tests.fuzz.verdicts import Verdict, judge

KEPT_FAULTS = 20
"""Inputs that are kept of each kind and verdict."""


class Forker:
    """The process in which attempts run."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.forker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "RUST_BACKTRACE": "0"} | environment,
        )

    def run(self, folder: Path, target: str, path: Path) -> dict[str, Any]:
        """Run a target in a child of that process; return how it ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"folder": str(folder), "target": target, "path": str(path)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        ended: dict[str, Any] = json.loads(self._process.stdout.readline())
        return ended

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass(frozen=True)
class Fault:
    """An attempt that went wrong. Its input lies in `kept`, where it is one of the first of its kind."""

    kind: str
    number: int
    mutation: str
    verdict: Verdict
    kept: str = ""


@dataclass
class Results:
    """What became of all attempts: `counts` by kind and verdict."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, kind: str, verdict: str) -> None:
        """Count an attempt."""
        self.counts.setdefault(kind, Counter())[verdict] += 1


class Fuzzer:
    """Attempts of one run: `number` and `seed` decide what an attempt mutates, and how."""

    def __init__(self, out: Path, seed: int, environment: dict[str, str]) -> None:
        self.out, self.seed, self.results = out, seed, Results()
        self._environment = environment
        self.seeds = Seeds(out / "seeds", out / "seeds" / "cache")

    def prepare(self) -> None:
        """Write the seeds and let each of them answer; raise `AssertionError` where one does not."""
        shutil.rmtree(self.out, ignore_errors=True)
        make_seeds(self.seeds.folder)
        forker = Forker(self._environment)
        plain = {name: ("complete", self.seeds.model(name)) for name in FAMILIES}
        plain["bundle"] = ("complete", self.seeds.folder / "bundle")
        plain["gguf"] = ("convert", self.seeds.folder / "tiny.gguf")
        for name, (target, path) in plain.items():
            ended = forker.run(self.seeds.folder, target, path)
            stderr = (self.seeds.folder / "stderr").read_text("utf-8")
            assert ended["status"] == 0, f"the seed {name} ends with {ended}: {stderr[-2000:]}"
            self.seeds.answers[name] = json.loads((self.seeds.folder / "stdout").read_text("utf-8"))
        forker.close()
        shutil.rmtree(self.seeds.folder / "model")

    def attempt(self, forker: Forker, kind: str, number: int) -> Verdict:
        """Make and run one attempt; keep its input where it goes wrong."""
        folder = self.out / "attempts" / f"{kind}-{number}"
        folder.mkdir(parents=True)
        case = KINDS[kind](self.seeds, folder, Random(f"{self.seed}/{kind}/{number}"))
        (folder / "case.json").write_text(describe(case), "utf-8")
        verdict = judge(case, forker.run(folder, case.target, case.path), self.seeds.answers[case.seed])
        self.results.add(kind, verdict.name)
        if verdict.right:
            shutil.rmtree(folder)
        else:
            self._keep(kind, number, case, verdict)
        return verdict

    def _keep(self, kind: str, number: int, case: Case, verdict: Verdict) -> None:
        kept = self.out / "faults" / f"{verdict.name.replace(' ', '-')}-{kind}-{number}"
        if self.results.counts[kind][verdict.name] > KEPT_FAULTS:
            shutil.rmtree(case.folder)
            self.results.faults.append(Fault(kind, number, case.mutation, verdict))
            return
        kept.parent.mkdir(exist_ok=True)
        case.folder.rename(kept)
        self.results.faults.append(Fault(kind, number, case.mutation, verdict, str(kept)))
