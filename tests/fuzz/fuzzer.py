"""Runs attempts, one after the other, in a process that forks; keeps those that are faults."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from greencode_lsp.paths import cache_folder
from tests.fuzz import traffic
from tests.fuzz.cases import KINDS, Seeds, describe
from tests.fuzz.seeds import FAMILIES, make_seeds
from tests.fuzz.verdicts import Verdict, judge
from tests.soak.surroundings import link_tree

TRAFFIC = "lsp"

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

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[Fault] = field(default_factory=list)

    def add(self, kind: str, number: int, mutation: str, verdict: Verdict, kept: str) -> None:
        """Count an attempt, and note it where it is a fault."""
        self.counts[kind][verdict.name] += 1
        if not verdict.right:
            self.faults.append(Fault(kind, number, mutation, verdict, kept))


class Fuzzer:
    """Attempts of one run: `seed`, the kind and the number of an attempt decide what it mutates, and how."""

    def __init__(self, out: Path, seed: int, environment: dict[str, str]) -> None:
        self.out, self.seed, self.environment, self.results = out, seed, environment, Results()
        self.seeds = Seeds(out / "seeds", out / "seeds" / "cache")
        self._suggested: list[str] | None = None
        self._preparing = threading.Lock()

    def prepare(self) -> None:
        """Write the seeds and let each of them answer; raise `AssertionError` where one does not."""
        shutil.rmtree(self.out, ignore_errors=True)
        make_seeds(self.seeds.folder)
        forker = Forker(self.environment)
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
        random = Random(f"{self.seed}/{kind}/{number}")
        if kind == TRAFFIC:
            verdict, mutation = self._talk(folder, random), "LSP traffic"
        else:
            case = KINDS[kind](self.seeds, folder, random)
            (folder / "case.json").write_text(describe(case), "utf-8")
            verdict = judge(case, forker.run(folder, case.target, case.path), self.seeds.answers[case.seed])
            mutation = case.mutation
        kept = self._keep(folder, kind, verdict)
        self.results.add(kind, number, mutation, verdict, kept)
        return verdict

    def _talk(self, folder: Path, random: Random) -> Verdict:
        """Send nonsense to a server with the default model; what it then suggests is what it always suggests."""
        plain = self.out / "plain"
        cache = plain / "cache"  # all servers', as an editor's: packed weights are known by their model's place
        with self._preparing:
            if self._suggested is None:
                link_tree(cache_folder(), cache)
                verdict, self._suggested = traffic.attempt(plain, cache, self.environment, None)
                assert verdict.right and self._suggested, f"an ordinary session ends with {verdict}, {self._suggested}"
        verdict, suggested = traffic.attempt(folder, cache, self.environment, random)
        if verdict.right and suggested != self._suggested:
            return Verdict("silent other text", f"{suggested}, not {self._suggested}")
        return verdict

    def _keep(self, folder: Path, kind: str, verdict: Verdict) -> str:
        """Remove an attempt's folder; keep those of the first faults of each kind, and return where."""
        if verdict.right or self.results.counts[kind][verdict.name] >= KEPT_FAULTS:
            shutil.rmtree(folder)
            return ""
        kept = self.out / "faults" / f"{verdict.name.replace(' ', '-')}-{folder.name}"
        kept.parent.mkdir(exist_ok=True)
        folder.rename(kept)
        return str(kept)
