"""What a token costs, for commands that weigh quality against energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from greencode_lsp.completion.suggestion import Report
from greencode_lsp.errors import UserError

if TYPE_CHECKING:
    from greencode_lsp.training.policy.costs import Costs
    from greencode_lsp.training.policy.trace_set import TraceSet

CostModel = Annotated[
    str | None, typer.Option("--model", help="Take joules from this bundle, as measured here; else cost is in layers.")
]
HeadLayers = Annotated[float, typer.Option(min=0, help="Without --model: what the head costs, in layers.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda: where --model is measured.")]


def costs_for(traces: TraceSet, model: str | None, head_layers: float, device: str, report: Report) -> Costs:
    """Return costs in joules where a model is named, in layers otherwise; raise `UserError` where it does not fit."""
    from greencode_lsp.training.policy.costs import DECISION_LAYERS, Costs, measured_costs

    if model is None:
        return Costs(traces.exits, traces.layers, head=head_layers, decision=DECISION_LAYERS)
    from greencode_lsp.completion.loading import choose_device
    from greencode_lsp.completion.metering import cost_table
    from greencode_lsp.energy import choose_meter, probe_meters
    from greencode_lsp.engine import EarlyExitModel
    from greencode_lsp.paths import made_folder
    from greencode_lsp.training.opened import open_model

    device = choose_device(device)
    opened = open_model(model, None, None, device, report)  # without what is calibrated, which may be about to change
    engine = EarlyExitModel(opened.runner, opened.exits, opened.heads)
    if (opened.exits, engine.layers) != (traces.exits, traces.layers):
        raise UserError(
            f"{model} has exits {list(opened.exits)} of {engine.layers}, the traces have "
            f"{list(traces.exits)} of {traces.layers}; name the bundle they were recorded with, or leave --model out"
        )
    table = cost_table(opened.material.bundle.name, engine, choose_meter(probe_meters(device)), made_folder("costs"))
    if table is None:
        raise UserError(f"the energy of {model} cannot be measured here; leave --model out to count in layers")
    segments = range(len(traces.exits))
    translators = [engine.translator_layers(segment) for segment in segments]
    shortlists = [engine.shortlist_layers(segment) for segment in segments]
    return measured_costs(table, traces.exits, traces.layers, translators, shortlists)
