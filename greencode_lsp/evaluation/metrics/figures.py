"""What is measured of every form: likeness to full depth, depth, energy, speed, and next tokens on the true text."""

from __future__ import annotations

from collections.abc import Callable

from greencode_lsp.evaluation.metrics.lines import accepted
from greencode_lsp.evaluation.metrics.metric import Metric, Ratio, percent
from greencode_lsp.evaluation.runs.records import Case, Cost


def figures() -> list[Metric]:
    """Return the figures that need no library."""
    return [
        percent("same_as_full", same_as_full),
        Ratio("next_token_accuracy", "%", *_forced("right", "tokens"), scale=100.0),
        Ratio("mean_exit_layer", "layers", depths, known_tokens),
        Ratio("forced_exit_layer", "layers", *_forced("depth", "tokens")),
        Ratio("guessed", "%", lambda case: float(case.result.guessed), new_tokens, scale=100.0),
        Ratio("new_tokens", "tokens", new_tokens),
        Ratio("joules", "J", _cost(lambda cost: cost.joules)),
        Ratio("joules_prefill", "J", _cost(lambda cost: cost.joules_prefill)),
        Ratio("joules_decode", "J", _cost(lambda cost: cost.joules_decode)),
        Ratio("counted_joules", "J", _cost(lambda cost: cost.counted_joules)),
        Saved("saved", _cost(lambda cost: cost.joules), _cost(lambda cost: cost.joules_full)),
        Saved("saved_decode", _cost(lambda cost: cost.joules_decode), _cost(lambda cost: cost.joules_decode_full)),
        Saved(
            "saved_uncached",
            _cost(lambda cost: cost.joules_uncached),
            _cost(lambda cost: cost.joules_uncached_full),
        ),
        Ratio("tokens_per_s", "tokens/s", new_tokens, _cost(lambda cost: cost.seconds_decode)),
        Ratio("ms", "ms", _cost(lambda cost: cost.seconds_prefill + cost.seconds_decode), scale=1000.0),
    ]


def joules_per_accepted() -> Metric:
    """Return the joules per line that a person would take."""
    return Ratio("joules_per_accepted", "J", _cost(lambda cost: cost.joules), accepted)


def passed_metric() -> Metric:
    """Return pass@1: one greedy text for each problem."""
    return percent("pass_at_1", lambda case: case.result.passed)


class Saved(Ratio):
    """The share of joules that was not spent."""

    def __init__(self, name: str, spent: Callable[[Case], float | None], whole: Callable[[Case], float | None]) -> None:
        def difference(case: Case) -> float | None:
            total, part = whole(case), spent(case)
            return None if total is None or part is None else total - part

        super().__init__(name, "%", difference, whole, 100.0)


def same_as_full(case: Case) -> float | None:
    """Return whether a text is that of full depth."""
    return None if case.full is None else float(case.result.text == case.full.text)


def new_tokens(case: Case) -> float:
    """Count the tokens of a text."""
    return float(len(case.result.tokens))


def depths(case: Case) -> float:
    """Add up the depths of a text's tokens."""
    return float(sum(depth for _, depth in case.result.tokens))


def known_tokens(case: Case) -> float:
    """Count the tokens whose depth is known."""
    return float(sum(depth > 0 for _, depth in case.result.tokens))


def _cost(field: Callable[[Cost], float | None]) -> Callable[[Case], float | None]:
    return lambda case: field(case.result.cost)


def _forced(top: str, bottom: str) -> tuple[Callable[[Case], float | None], Callable[[Case], float | None]]:
    def read(name: str) -> Callable[[Case], float | None]:
        return lambda case: None if case.result.forced is None else float(getattr(case.result.forced, name))

    return read(top), read(bottom)
