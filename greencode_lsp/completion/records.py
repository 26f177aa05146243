"""What goes into the ledger about a completion."""

import uuid
from datetime import UTC, datetime

from greencode_lsp.completion.suggestion import Suggestion
from greencode_lsp.energy import Charge, Entry


def entry_of(suggestion: Suggestion) -> Entry:
    """Return the ledger's entry for a suggestion."""
    return Entry(
        completion_id=suggestion.id,
        when=datetime.now(UTC),
        joules=suggestion.charge.joules,
        joules_full=suggestion.charge.joules_full,
        source=suggestion.charge.source,
        tokens=0 if suggestion.cached else suggestion.generated_tokens,
        mean_exit_layer=suggestion.mean_exit_layer,
        layers=suggestion.layers,
        latency_ms=suggestion.timings_ms.total,
        cached=suggestion.cached,
        model=suggestion.model,
        profile=suggestion.profile,
    )


def entry_of_cancelled(charge: Charge, layers: int, model: str, profile: str) -> Entry:
    """Return the ledger's entry for a completion that was cancelled: nobody saw it, but the joules are gone."""
    return Entry(
        completion_id=uuid.uuid4().hex,
        when=datetime.now(UTC),
        joules=charge.joules,
        joules_full=charge.joules_full,
        source=charge.source,
        tokens=0,
        mean_exit_layer=None,
        layers=layers,
        latency_ms=0.0,
        cached=False,
        model=model,
        profile=profile,
    )
