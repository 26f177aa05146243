"""What goes over the wire beside LSP's own messages (design: the wire contract)."""

from typing import Any, Literal

from greencode_lsp.completion.suggestion import Suggestion
from greencode_lsp.energy import DayTotals, GridFactor

ENERGY = "greencode/energy"
STATUS = "greencode/status"

Kind = Literal["normal", "warning", "error", "inactive"]


def energy_payload(uri: str, suggestion: Suggestion, today: DayTotals, factor: GridFactor) -> dict[str, Any]:
    """Return the body of `greencode/energy`: one completion, and the day so far. Unknown is null."""
    return {
        "completionId": suggestion.id,
        "uri": uri,
        "joules": suggestion.charge.joules,
        "joulesFull": suggestion.charge.joules_full,
        "source": suggestion.charge.source,
        "tokens": suggestion.generated_tokens,
        "guessedTokens": suggestion.guessed_tokens,
        "promptTokens": suggestion.prompt_tokens,
        "reusedTokens": suggestion.reused_tokens,
        "meanExitLayer": suggestion.mean_exit_layer,
        "layers": suggestion.layers,
        "latencyMs": suggestion.timings_ms.total,
        "cached": suggestion.cached,
        "profile": suggestion.profile,
        "model": suggestion.model,
        "today": today_payload(today, factor),
    }


def today_payload(today: DayTotals, factor: GridFactor) -> dict[str, Any]:
    """Return the totals of a day."""
    return {
        "wattHours": today.watt_hours,
        "savedWattHours": today.saved_watt_hours,
        "completions": today.completions,
        "gramsCo2e": today.grams_co2e,
        "gridFactor": {"name": factor.name, "gramsPerKwh": factor.grams_per_kwh},
    }


def status_payload(kind: Kind, busy: bool, message: str) -> dict[str, Any]:
    """Return the body of `greencode/status`."""
    return {"kind": kind, "busy": busy, "message": message}
