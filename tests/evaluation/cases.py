"""Results made by hand."""

from typing import Any

from greencode_lsp.evaluation.runs.journal import Journal
from greencode_lsp.evaluation.runs.records import Case, Cost, ExampleRecord, Forced, Result

MACHINE = {
    "processor": "a CPU",
    "device": "cpu",
    "cores": 2,
    "threads": 2,
    "system": "Linux",
    "date": "2026-01-01",
    "versions": {"greencode": "0", "llama-cpp-python": None},
}


def cost(joules: float = 2.0, full: float = 4.0) -> Cost:
    return Cost(
        seconds_prefill=0.25,
        seconds_decode=0.5,
        joules_prefill=joules / 2,
        joules_decode=joules / 2,
        joules_full=full,
        joules_decode_full=full / 2,
        joules_uncached=5 * joules,
        joules_uncached_full=5 * full,
        counted_joules=None,
        source="estimate",
    )


def example(id: str, reference: str, cluster: str = "a", **fields: Any) -> ExampleRecord:
    facts: dict[str, Any] = {
        "row": int(id.split("-")[-1]),
        "language": "python",
        "tail": "    ",
        "prompt_tokens": 100,
        "target_tokens": 4,
        "was_cut": False,
        **fields,
    }
    return ExampleRecord(id=id, cluster=cluster, reference=reference, **facts)


def result(id: str, configuration: str, text: str, depth: int = 30, **fields: Any) -> Result:
    facts: dict[str, Any] = {
        "shown": text,
        "tokens": tuple((piece, depth) for piece in text.split(" ")),
        "finish": "stop rule",
        "cost": cost(),
        **fields,
    }
    return Result(example=id, configuration=configuration, text=text, **facts)


def case(text: str, reference: str, **fields: Any) -> Case:
    gold = fields.pop("gold", None)
    return Case(example("row-1", reference, gold=gold), result("row-1", "full", text, **fields))


def journal(form: str = "raw") -> Journal:
    """A run of three configurations over four examples of two clusters, in which balanced loses one line."""
    names = {
        "full": "profile",
        "balanced": "profile",
        "exits-balanced": "control",
        "fixed-12": "control",
        "random-balanced": "control",
    }
    made = Journal(
        {
            "settings": {
                "suite": "py150",
                "form": form,
                "language": "python",
                "model": "toy",
                "layers": 30,
                "exits": [12],
                "cap": 2,
                "runner": "by hand",
                "data": "made up",
                "configurations": {name: {"kind": kind, "detail": f"about {name}"} for name, kind in names.items()},
            },
            "machine": MACHINE,
            "energy": "made up",
            "skipped": {"the prompt is empty": 2},
            "prompts_cut": 0,
            "left_out": ["<nothing>"],
        }
    )
    lines = ["return self.items[0] + 1", "for each in items : pass", "x = call ( 1 )", "raise ValueError ( name )"]
    for number, line in enumerate(lines, 1):
        made.examples[f"row-{number}"] = example(f"row-{number}", line, cluster="ab"[number % 2], gold=line)
        for name in names:
            lost = (name in ("balanced", "exits-balanced") and number == 4) or (
                name not in ("full", "balanced", "exits-balanced") and number > 1
            )
            text, depth = ("nothing like it at all", 12) if lost else (line, 30 if name == "full" else 12)
            spent = {"full": 4.0, "balanced": 2.0, "exits-balanced": 2.0, "fixed-12": 1.5, "random-balanced": 2.5}[
                name
            ] + number / 10
            made.results[f"row-{number}", name] = result(
                f"row-{number}", name, text, depth, gold_text=text, cost=cost(spent), forced=Forced(3, 4, 4 * depth)
            )
    return made
