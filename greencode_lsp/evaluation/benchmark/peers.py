"""Which engines there are to compare with, by name."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from greencode_lsp.errors import UserError
from greencode_lsp.evaluation.benchmark.decoding import TRIAL_TOKENS, Engine, fastest
from greencode_lsp.evaluation.benchmark.gauge import Gauge
from greencode_lsp.evaluation.benchmark.llama_cpp_peer import LlamaCppPeer
from greencode_lsp.evaluation.benchmark.transformers_peers import TransformersPeer, load

PEERS = ("hf", "layerskip", "llama.cpp")

FORMATS = (torch.bfloat16, torch.float32)


def make_peer(
    name: str, folder: Path, device: str, exits: tuple[int, ...], gauge: Gauge, prompt: Sequence[int], tokens: int
) -> Engine:
    """Return a peer on the model of `folder` in the variant that is fastest here; raise `UserError` in one line.

    `exits` are those that leave out layers: layerskip drafts at the last of them.
    """
    variants: list[Callable[[], Engine]]
    match name:
        case "hf":
            variants = [partial(load_transformers, folder, device, dtype, gauge) for dtype in FORMATS]
        case "layerskip":
            if not exits:
                raise UserError("the peer layerskip needs a model with exits")
            variants = [partial(load_transformers, folder, device, dtype, gauge, exits[-1]) for dtype in FORMATS]
        case "llama.cpp":
            counted = gauge if device == "cpu" else Gauge(None)  # a GPU's counter does not see the CPU
            threads, context = torch.get_num_threads(), len(prompt) + max(tokens, TRIAL_TOKENS)
            variants = [partial(LlamaCppPeer, folder, threads, context, flash, counted) for flash in (True, False)]
        case _:
            raise UserError(f"unknown peer {name!r}; there are: {', '.join(PEERS)}")
    return fastest(variants, prompt)


def load_transformers(
    folder: Path, device: str, dtype: torch.dtype, gauge: Gauge, draft_layers: int | None = None
) -> TransformersPeer:
    """Return transformers on the model of `folder`, in one number format."""
    return TransformersPeer(load(folder, device, dtype), gauge, draft_layers)
