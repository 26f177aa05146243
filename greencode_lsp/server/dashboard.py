"""What a dashboard shows: days, and what the computed completions of the last week took."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from greencode_lsp.completion.suggestion import Suggestion
from greencode_lsp.energy import DayTotals, GridFactor, Ledger, NullLedger

DAYS = 14
WEEK = timedelta(days=7)


def dashboard_payload(ledger: Ledger | NullLedger, factor: GridFactor) -> dict[str, Any]:
    """Return the answer of `greencode.dashboard`. Unknown is null."""
    week = ledger.summary_since(datetime.now(UTC) - WEEK)
    return {
        "gridFactor": {"name": factor.name, "gramsPerKwh": factor.grams_per_kwh},
        "days": [day_payload(day) for day in ledger.by_day(factor, DAYS)],
        "week": {
            "computed": week.computed,
            "shown": week.shown,
            "accepted": week.accepted,
            "latencyMs": {f"p{percent}": value for percent, value in week.latency_ms.items()} or None,
            "layers": week.layers,
            "depths": [{"layer": layer, "completions": count} for layer, count in week.depths.items()],
            "last": [{"joules": joules, "joulesFull": full} for joules, full in week.last_joules],
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


def csv_text(ledger: Ledger | NullLedger) -> str:
    """Return the answer of `greencode.csv`: every completion."""
    text = io.StringIO()
    ledger.export_csv(text)
    return text.getvalue()


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
