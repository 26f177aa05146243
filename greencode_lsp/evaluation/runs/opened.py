"""A bundle opened for evaluation: the model that ships, what its work costs, and how to open its other forms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from greencode_lsp.completion.infill import InfillTemplate
from greencode_lsp.completion.loading import choose_device, load_completer, load_heads
from greencode_lsp.completion.metering import cost_table
from greencode_lsp.completion.suggestion import LoadOptions, Report
from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.energy import CostTable, choose_meter, probe_meters
from greencode_lsp.engine import EarlyExitModel, load_backbone, load_runner
from greencode_lsp.engine.adapters import ADAPTERS_FILE, adapters_beside
from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE
from greencode_lsp.engine.drafts.ngrams import NGRAMS_FILE
from greencode_lsp.engine.exits import EXITS_FILE
from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.engine.kv_map import KV_MAP_FILES
from greencode_lsp.evaluation.benchmark.gauge import Gauge
from greencode_lsp.models import Bundle, find_bundle, load_folder
from greencode_lsp.paths import made_folder
from greencode_lsp.policy import BundlePolicy
from greencode_lsp.policy.bundle import POLICY_FILE, file_sha256
from greencode_lsp.policy.calibration import CALIBRATION_FILE

ARTEFACTS = (EXITS_FILE, ADAPTERS_FILE, POLICY_FILE, CALIBRATION_FILE, KV_MAP_FILES, NGRAMS_FILE, DRAFTER_FILE)


@dataclass(frozen=True)
class OpenedBundle:
    """What evaluation needs of a bundle. `meter_detail` says for people where joules come from."""

    bundle: Bundle
    folder: Path
    device: str
    model: EarlyExitModel
    tokenizer: CodeTokenizer
    infill: InfillTemplate | None
    policy: BundlePolicy
    table: CostTable | None
    gauge: Gauge
    meter_detail: str

    @property
    def adapters(self) -> Path | None:
        """The file with which training changed the weights, where there is one."""
        return adapters_beside(self.bundle.folder / EXITS_FILE)

    def original(self) -> EarlyExitModel:
        """Load the weights as they were before training changed them; raise `EngineError`."""
        return EarlyExitModel(load_runner(self.folder, self.device, made_folder("packed")))

    def plain(self) -> tuple[Backbone, EarlyExitModel]:
        """Load the model on a plain backbone, in floats; raise `EngineError`."""
        dtype = torch.float32 if self.device == "cpu" else torch.bfloat16
        backbone = load_backbone(self.folder, self.device, dtype, self.adapters)
        return backbone, EarlyExitModel(backbone, self.bundle.exits, load_heads(self.bundle, self.folder, backbone))

    def fingerprint(self) -> dict[str, str]:
        """Name what results depend on: the weights, and each artefact of training, by hash."""
        paths = [path for name in ARTEFACTS for path in sorted(self.bundle.folder.glob(name))]
        artefacts = {path.name: file_sha256(path) for path in paths}
        return {"weights": weights_identity(self.folder), **artefacts}


def open_bundle(options: LoadOptions, report: Report) -> OpenedBundle:
    """Load a bundle, fetching and calibrating it where that has not been done; raise `UserError` in one line."""
    completer = load_completer(options, report)
    bundle, device = find_bundle(options.model), choose_device(options.device)
    meter = choose_meter(probe_meters(device))
    table = cost_table(bundle.name, completer.model, meter, made_folder("costs"))
    return OpenedBundle(
        bundle=bundle,
        folder=load_folder(bundle),
        device=device,
        model=completer.model,
        tokenizer=completer.tokenizer,
        infill=completer.infill,
        policy=completer.policy,
        table=table,
        gauge=Gauge(meter),
        meter_detail=meter.detail,
    )
