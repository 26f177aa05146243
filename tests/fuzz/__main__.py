"""`python -m tests.fuzz --minutes 10 --seed 0`: mutate models, bundles, caches and LSP traffic; say what went wrong."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console

from greencode_lsp.completion.loading import load_completer
from greencode_lsp.completion.suggestion import LoadOptions
from tests.fuzz import traffic
from tests.fuzz.fuzzer import Forker, Fuzzer
from tests.fuzz.report import report, show
from tests.fuzz.run import Schedule, run
from tests.fuzz.sanitized import sanitized_environment


def main() -> int:
    """Run; return 1 where an attempt went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="what the mutations are drawn by (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="folder for inputs and the report")
    parser.add_argument("--only", metavar="KIND-NUMBER", help="repeat this one attempt of a seed and keep its input")
    parser.add_argument("--plain", action="store_true", help="use the ordinary kernel, without sanitizers")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args()
    environment = {} if arguments.plain else sanitized_environment()
    fuzzer = Fuzzer(arguments.out.absolute(), arguments.seed, environment)
    load_completer(LoadOptions(traffic.MODEL, "cpu"))  # fetches, packs and measures the sessions' model
    began = time.monotonic()
    if arguments.only:
        kind, _, number = arguments.only.rpartition("-")
        fuzzer.prepare()
        fuzzer.attempt(Forker(environment), kind, int(number))
    else:
        run(fuzzer, Schedule(arguments.minutes, None))
    facts = report(fuzzer, time.monotonic() - began)
    text = json.dumps(facts, indent=1)
    (fuzzer.out / "report.json").write_text(text + "\n", "utf-8")
    if arguments.json:
        print(text)
    else:
        show(facts, Console(width=max(Console().width, 120)))
    return 1 if fuzzer.results.faults else 0


if __name__ == "__main__":
    sys.exit(main())
