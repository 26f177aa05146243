"""What runs a backbone's layers: CUDA graphs on a GPU, packed weights on a CPU that can, plain PyTorch otherwise."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.backbone import load_backbone
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.drafts.drafter import Drafter, DraftNetwork
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.kv_map import KvFiller, KvMap
from greencode_lsp.engine.packed import KernelUnavailableError, load_packed
from greencode_lsp.preparation import Waiting, log_waiting

if TYPE_CHECKING:
    from greencode_lsp.policy.learned import PolicyNetwork

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Reads hidden states [rows, hidden] behind one exit, or behind the last layer."""

    @property
    def translator_bytes(self) -> int:
        """Return how many bytes of weights an exit's translator reads before the head; 0 without one."""

    @property
    def shortlist_bytes(self) -> int:
        """Return how many bytes of weights `likeliest` reads in place of the head; 0 without a shortlist."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Return their logits [rows, vocabulary], shortlist or not."""

    def likeliest(self, hidden: Tensor, words: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """Return the ids [rows] of their most likely tokens, of the shortlist where there is one, and probabilities.

        Both are on the host. `words` are tokens, at most `ROOM`, that a shortlist is read with; without one they change
        nothing.
        These, [rows], are shares among the tokens that were read, and near enough for a decision: a runner may take
        them from a coarse copy of the head. Raises `NumericalError` where no logit is a number.
        """


class Runner(Protocol):
    """A model's shape, and the computations on its weights. Holds no state of any text."""

    shape: Architecture

    @property
    def device(self) -> torch.device:
        """Where hidden states are."""

    @property
    def dtype(self) -> torch.dtype:
        """The number format of hidden states."""

    @property
    def description(self) -> str:
        """What people may want to know: how the weights are held."""

    def embed(self, tokens: list[int], start: int) -> Tensor:
        """Return the hidden states [rows, hidden] that enter layer 1 for tokens at positions from `start`."""

    def new_cache(self, layers: int) -> Cache:
        """Return an empty cache for that many neighbouring layers."""

    def run_layers(self, layers: range, hidden: Tensor, start: int, cache: Cache, read: int | None = None) -> Tensor:
        """Run layers (0-based) on hidden [rows, hidden] at positions from `start`; return what they make of them.

        With `read`, only so many of the last rows are looked at: what it returns of others is undefined, but finite.
        """

    @property
    def unread_share(self) -> float:
        """What a row that is not read costs in the last of these layers, as a share of one that is."""

    def all_finite(self, hidden: Tensor) -> bool:
        """Say whether no number of what `run_layers` returned last is NaN or infinite."""

    def scorer(self, network: "PolicyNetwork") -> "PolicyNetwork":
        """Return a policy's network as this runner computes it best. A runner serves one network at a time."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Read hidden states [rows, hidden] through the final norm and the head: [rows, vocabulary]."""

    def reader(self, head: ExitHead | None = None) -> Reader:
        """Return what reads hidden states, through an exit's own head or as full depth does."""

    def drafter(self, network: DraftNetwork) -> Drafter | None:
        """Return what computes a drafter here; None where it would not pay."""

    def filler(self, found: KvMap) -> KvFiller | None:
        """Return what computes a map of keys and values and writes them; None where this runner cannot."""

    def layer_bytes(self, index: int) -> int:
        """Return how many bytes of weights layer `index` (0-based) reads."""

    def head_bytes(self) -> int:
        """Return how many bytes of weights the head reads."""


def load_runner(
    folder: Path, device: str, store: Path, adapters: Path | None = None, waiting: Waiting = log_waiting
) -> Runner:
    """Load a model folder for a device, with packed weights kept in `store`; raise `EngineError` in one line.

    On a CPU without the kernel's instructions, or for a model it does not run, bfloat16 is used where the CPU
    multiplies it, float32 otherwise. `adapters` is a file of changes to the layers. `waiting` is told what another
    process does that has to be waited for.
    """
    if device != "cpu":
        from greencode_lsp.engine.cuda import CudaRunner

        return CudaRunner(load_backbone(folder, device, torch.bfloat16, adapters))
    try:
        return load_packed(folder, store, adapters, waiting)
    except KernelUnavailableError as error:
        log.info("%s", error)
    dtype = torch.bfloat16 if multiplies_bfloat16() else torch.float32
    return load_backbone(folder, device, dtype, adapters)


def multiplies_bfloat16() -> bool:
    """Say whether this CPU has instructions for bfloat16 products."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
