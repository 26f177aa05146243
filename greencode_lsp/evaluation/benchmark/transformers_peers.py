"""Hugging Face transformers as a peer: plain `generate`, and self-speculation by `assistant_early_exit` (LayerSkip).

LayerSkip: Elhoushi et al. 2024, arXiv 2404.16710.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from greencode_lsp.errors import UserError, installing
from greencode_lsp.evaluation.benchmark.decoding import Run
from greencode_lsp.evaluation.benchmark.gauge import Gauge, Reading


class TransformersPeer:
    """A model of transformers that decodes on past the end of a text; `draft_layers` makes it draft at that depth."""

    profile: str | None = None

    def __init__(self, model: Any, gauge: Gauge, draft_layers: int | None = None) -> None:
        self.name = "hf" if draft_layers is None else "layerskip"
        self.detail = str(model.dtype).removeprefix("torch.")
        if draft_layers is not None:
            self.detail += f", drafts after layer {draft_layers}"
        self.source = gauge.source
        self._gauge, self._draft_layers = gauge, draft_layers
        self._model = model
        model.generation_config.eos_token_id = None
        model.generation_config.pad_token_id = 0

    def run(self, prompt: Sequence[int], tokens: int) -> Run:
        """Decode with `generate`; raise `UserError` where transformers cannot do it with this model."""
        stream = TimedStream(self._gauge)
        ids = torch.tensor([list(prompt)], device=self._model.device)
        drafting = {} if self._draft_layers is None else {"assistant_early_exit": self._draft_layers}
        begun = self._gauge.read()
        try:
            output = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=tokens,
                do_sample=False,
                streamer=stream,
                **drafting,
            )
        except Exception as error:  # the library's internals: whatever they raise, this peer does not work here
            raise UserError(f"the peer {self.name} does not work with this model: {error}") from error
        generated = output[0, len(prompt) :].tolist()
        prefill = self._gauge.between(begun, stream.first)
        decode = self._gauge.between(stream.first, stream.last)
        return Run(generated, prefill, len(generated) - stream.first_count, decode)


class TimedStream:
    """A streamer that notes when the first tokens came, how many they were, and when the last came."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._calls = 0
        self.first_count = 0
        self.first = self.last = Reading(0.0, None)

    def put(self, ids: torch.Tensor) -> None:
        """Take the prompt, then every new token."""
        self._calls += 1
        if self._calls == 1:  # the prompt
            return
        self.last = self._gauge.read()
        if self._calls == 2:
            self.first, self.first_count = self.last, ids.numel()

    def end(self) -> None:
        """Take the end."""


def load(folder: Path, device: str, dtype: torch.dtype) -> Any:
    """Load a model of a folder; raise `UserError` where transformers is missing."""
    try:
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging
    except ImportError as error:
        raise UserError(f"the peers hf and layerskip need transformers; {installing('eval')}") from error
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    safe = {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **safe).to(device).eval()
