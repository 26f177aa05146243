"""What a dashboard shows: days, and what the computed completions of the last week took."""

from collections import Counter
from collections.abc import Sequence
from statistics import quantiles
from typing import Any

from greencode_lsp.completion.suggestion import Suggestion
from greencode_lsp.energy import Computed, DayTotals, GridFactor

DAYS = 14
LAST_COMPLETIONS = 60


def dashboard_payload(days: Sequence[DayTotals], week: Sequence[Computed], factor: GridFactor) -> dict[str, Any]:
    """Return the answer of `greencode.dashboard`. Unknown is null.

    `days` are the ledger's, oldest first; `week` the computed completions of the last seven days.
    """
    return {
        "gridFactor": {"name": factor.name, "gramsPerKwh": factor.grams_per_kwh},
        "days": [day_payload(day) for day in days[-DAYS:]],
        "week": {
            "computed": len(week),
            "shown": sum(completion.shown for completion in week),
            "accepted": sum(completion.accepted for completion in week),
            "latencyMs": percentiles([completion.latency_ms for completion in week]),
            "layers": max((completion.layers for completion in week), default=0),
            "depths": depths(week),
            "last": [
                {"joules": completion.joules, "joulesFull": completion.joules_full}
                for completion in week[-LAST_COMPLETIONS:]
            ],
        },
    }


def day_payload(day: DayTotals) -> dict[str, Any]:
    """Return the totals of a day."""
    return {
        "day": day.day.isoformat(),
        "completions": day.completions,
        "wattHours": day.watt_hours,
        "savedWattHours": day.saved_watt_hours,
        "gramsCo2e": day.grams_co2e,
        "sources": list(day.sources),
    }


def depths(week: Sequence[Computed]) -> list[dict[str, int]]:
    """Count completions by the layer that their tokens were read at on average, rounded."""
    counts = Counter(round(completion.mean_exit_layer) for completion in week if completion.mean_exit_layer is not None)
    return [{"layer": layer, "completions": count} for layer, count in sorted(counts.items())]


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """Return the 50th, 90th and 99th percentile, None of nothing."""
    if not values:
        return None
    hundredths = quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return {"p50": hundredths[49], "p90": hundredths[89], "p99": hundredths[98]}


def tokens_payload(suggestion: Suggestion) -> dict[str, Any]:
    """Return the answer of `greencode.tokens`: how long each token of a text is, in UTF-16 units, and its depth."""
    return {
        "layers": suggestion.layers,
        "tokens": [
            {
                "length": len(token.text.encode("utf-16-le", errors="surrogatepass")) // 2,
                "exitLayer": token.exit_layer,
                "guessed": token.guessed,
            }
            for token in suggestion.tokens
        ],
    }
