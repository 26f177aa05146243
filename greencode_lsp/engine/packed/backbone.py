"""A backbone on packed weights: the same interface as the plain one, a tenth of the time and a quarter of the memory.

Rows are computed independently of what is computed beside them, to the bit, so the engine's invariants (verified
drafts, warm sessions, chunked prompts) hold exactly here and not only up to rounding.
"""

import ctypes
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, LearnedPositions, Linear, RotaryTable, plain_norm
from greencode_lsp.engine.backbone import Backbone, load_backbone
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.drafts.drafter import Drafter, DraftNetwork
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.grid import GROUP
from greencode_lsp.engine.kv_map import KvFiller, KvMap
from greencode_lsp.engine.packed.checking import check_cache, check_done, check_linear, check_states, check_weights
from greencode_lsp.engine.packed.drafter import PAYS_WITH, PackedDrafter
from greencode_lsp.engine.packed.filler import PackedFiller
from greencode_lsp.engine.packed.library import KernelUnavailableError, load_library
from greencode_lsp.engine.packed.packing import BLOCK, pack, pack_coarsely
from greencode_lsp.engine.packed.part import PackedPart
from greencode_lsp.engine.packed.reader import PackedReader
from greencode_lsp.engine.packed.scorer import PackedPolicyNetwork
from greencode_lsp.engine.packed.store import PackedStore
from greencode_lsp.engine.packed.structures import CLayer, CShape, describe_layer, pointer
from greencode_lsp.engine.packed.weights import PackedHead, PackedLayer, PackedLinear, PackedWeights
from greencode_lsp.engine.packed.workspace import Workspace, copied
from greencode_lsp.engine.threads import alone
from greencode_lsp.engine.validation import check_token_ids
from greencode_lsp.preparation import Waiting, log_waiting, one_at_a_time

if TYPE_CHECKING:
    from greencode_lsp.policy.learned import PolicyNetwork

log = logging.getLogger(__name__)

FAMILIES = ("llama", "mistral", "opt", "qwen2")
"""Families whose layers the kernel computes."""

LARGEST_HEAD = 256


class PackedBackbone:
    """A model's shape and packed weights, and the computations on them. Used from one thread only."""

    def __init__(self, shape: Architecture, weights: PackedWeights) -> None:
        check_weights(weights, shape)
        self.shape, self.weights = shape, weights
        self._library = load_library()
        self._layers = (CLayer * shape.layers)(*map(describe_layer, weights.layers))
        self._finite = True
        self._parts: dict[int, PackedPart] = {}
        self._workspace = Workspace()
        self._rotary = half_tables(weights.positions)
        self._shape = CShape(
            shape.hidden_size,
            shape.heads,
            shape.kv_heads,
            shape.head_size,
            shape.intermediate_size,
            int(shape.gated),
            int(shape.norm == "layer"),
            shape.norm_epsilon,
            *map(pointer, self._rotary),
            shape.context_length,
        )

    @property
    def device(self) -> torch.device:
        """Where hidden states are."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The number format of hidden states; weights are in 4 or 8 bits, K/V in half floats."""
        return torch.float32

    @property
    def description(self) -> str:
        """What people may want to know: how the weights are held."""
        instructions = self._library.instructions().decode()
        return f"packed weights, {self.weights.layers[0].mlp_in.weight.bits} bits, {instructions}"

    def embed(self, tokens: list[int], start: int) -> Tensor:
        """Return the hidden states [rows, hidden] that enter layer 1 for tokens at positions from `start`."""
        embedding, positions = self.weights.embedding, self.weights.positions
        check_token_ids(tokens, self.shape.vocabulary_size)
        with alone():
            indices = torch.tensor(tokens, dtype=torch.long)
            hidden = self.weights.head.weight.rows(indices) if embedding is None else embedding[indices].float()
            if isinstance(positions, LearnedPositions):
                first = start + positions.offset
                hidden = hidden + positions.table[first : first + len(tokens)]
        return hidden

    def new_cache(self, layers: int) -> Cache:
        """Return an empty cache, of half floats, for that many neighbouring layers."""
        return Cache(torch.empty(0, dtype=torch.float16), layers, self.shape.kv_heads, self.shape.head_size)

    def run_layers(self, layers: range, hidden: Tensor, start: int, cache: Cache, read: int | None = None) -> Tensor:
        """Run layers (0-based) on hidden [rows, hidden] at positions from `start`; return what they make of them.

        `cache` holds the K/V of these layers for all earlier positions; the rows' own are written. With `read`, rows
        before the last so many come back as they enter the last of these layers.
        """
        rows, count, shape = hidden.shape[0], len(layers), ctypes.byref(self._shape)
        if start + rows > self.shape.context_length:  # its tables of rotations end there
            raise EngineError(f"{start + rows} tokens exceed the context of {self.shape.context_length}")
        check_states(hidden, self.shape.hidden_size)
        cache.reserve(start + rows, start)
        check_cache(cache, count, self.shape)
        hidden = copied(hidden)
        threads = torch.get_num_threads()
        finite = self._library.run_layers(
            shape,
            ctypes.byref(self._layers, layers.start * ctypes.sizeof(CLayer)),
            count,
            hidden.data_ptr(),
            rows,
            start,
            rows if read is None else read,
            cache.keys.data_ptr(),
            cache.values.data_ptr(),
            cache.capacity,
            self._workspace.reserve(self._library.layers_bytes(shape, count, rows, start, threads)),
            threads,
        )
        check_done(finite)
        self._finite = bool(finite)
        return hidden

    def all_finite(self, hidden: Tensor) -> bool:
        """Say whether no number of what `run_layers` returned last is NaN or infinite: the kernel has looked."""
        return self._finite

    def scorer(self, network: "PolicyNetwork") -> "PolicyNetwork":
        """Return a policy's network as this runner computes it: in the kernel."""
        return PackedPolicyNetwork(network)

    def logits(self, hidden: Tensor) -> Tensor:
        """Read hidden states [rows, hidden] through the final norm and the head: [rows, vocabulary]."""
        return self.reader().logits(hidden)

    def reader(self, head: ExitHead | None = None) -> PackedReader:
        """Return what reads hidden states, through an exit's own head or as full depth does."""
        part = None if head is None or head.shortlist is None else self._part_of_head(head.shortlist)
        return PackedReader(self.shape, self.weights, self._shape, self._workspace, head, part)

    def drafter(self, network: DraftNetwork) -> Drafter | None:
        """Return what computes a drafter here: in the kernel, where rows are cheap enough for it to pay."""
        if self._library.instructions().decode() not in PAYS_WITH:
            return None
        return PackedDrafter(self.weights, network, self._mapping, self.reader(network.head))

    def filler(self, found: KvMap) -> KvFiller | None:
        """Return what computes a map of keys and values here: in the kernel, in the 4 bits of its grid, or else 8."""
        linear = PackedLinear(pack(found.linear.weight), found.linear.bias)
        check_linear(linear, linear.weight.outputs, self.shape.hidden_size, f"map behind layer {found.depth}")
        reader = self._mapping(linear)
        return PackedFiller(self.shape, found.depth, reader.logits, linear.weight.byte_count, self._rotary)

    def _mapping(self, linear: PackedLinear) -> PackedReader:
        """Return what maps states that were brought to one size."""
        weights = replace(self.weights, head=linear, screen=None, final_norm=plain_norm(self.shape))
        shape = replace(self.shape, vocabulary_size=linear.weight.outputs)
        return PackedReader(shape, weights, self._shape, self._workspace, None, None)

    def layer_bytes(self, index: int) -> int:
        """Return how many bytes of weights layer `index` (0-based) reads, however many rows it runs on."""
        layer = self.weights.layers[index]
        maps = (layer.qkv, layer.attention_out, layer.mlp_in, layer.mlp_out)
        return sum(each.weight.byte_count for each in maps)

    @property
    def unread_share(self) -> float:
        """What a row costs in a layer behind which it is not read, as a share of one that is: its keys and values."""
        return self.weights.layers[-1].qkv.weight.byte_count / self.layer_bytes(self.shape.layers - 1)

    def head_bytes(self) -> int:
        """Return how many bytes of weights choosing a token reads."""
        return PackedHead(self.weights.head, self.weights.screen).byte_count

    def _part_of_head(self, ids: Tensor) -> PackedPart:
        """Return the part of the head that reads these tokens, ids [tokens]; exits share it."""
        if ids.data_ptr() not in self._parts:
            self._parts[ids.data_ptr()] = PackedPart(PackedHead(self.weights.head, self.weights.screen), ids)
        return self._parts[ids.data_ptr()]


def load_packed(
    folder: Path, store: Path, adapters: Path | None = None, waiting: Waiting = log_waiting
) -> PackedBackbone:
    """Load a model folder for the packed runner, from `store` where it was packed before, with the same adapters.

    Raises `KernelUnavailableError` where this machine or this model cannot run it, `EngineError` for a broken folder.
    """
    load_library()
    kept = PackedStore(store, folder, adapters)
    if (loaded := kept.load()) is None:
        with one_at_a_time(f"pack-{kept.key}", "packs this model's weights", waiting):
            if (loaded := kept.load()) is None:
                log.info("packing the weights of %s", folder)
                loaded = packed(load_backbone(folder, adapters=adapters))
                kept.save(*loaded)
    return PackedBackbone(*loaded)


def packed(backbone: Backbone) -> tuple[Architecture, PackedWeights]:
    """Pack a plain backbone; raise `KernelUnavailableError` where the kernel cannot compute its layers."""
    shape, weights = backbone.shape, backbone.weights
    reason = unsupported(shape)
    if reason:
        raise KernelUnavailableError(f"the fast CPU kernel does not run this model: {reason}")
    tied = weights.head.weight is weights.embedding
    head = packed_linear(weights.head)
    eight_bits = head.weight.bits == 8
    screen = PackedLinear(pack_coarsely(weights.head.weight), head.bias) if eight_bits else None
    return shape, PackedWeights(
        embedding=None if tied and eight_bits else weights.embedding.half(),
        positions=weights.positions,
        layers=tuple(
            PackedLayer(
                layer.attention_norm,
                packed_linear(layer.qkv),
                packed_linear(layer.attention_out),
                layer.mlp_norm,
                packed_linear(layer.mlp_in),
                packed_linear(layer.mlp_out),
            )
            for layer in weights.layers
        ),
        final_norm=weights.final_norm,
        head=head,
        screen=screen,
    )


def unsupported(shape: Architecture) -> str:
    """Say why the kernel cannot compute a model's layers; nothing where it can."""
    if shape.family not in FAMILIES:
        return f"family {shape.family}"
    if (shape.gated, shape.activation) not in ((True, "silu"), (False, "relu")):
        return f"activation {shape.activation}"
    if shape.head_size % BLOCK or shape.head_size > LARGEST_HEAD:
        return f"head size {shape.head_size}"
    if shape.hidden_size % GROUP or shape.intermediate_size % GROUP:
        return f"sizes that are no multiples of {GROUP}"
    return ""


def packed_linear(plain: Linear) -> PackedLinear:
    """Pack a linear map."""
    return PackedLinear(pack(plain.weight), plain.bias)


def half_tables(positions: RotaryTable | LearnedPositions) -> tuple[Tensor | None, Tensor | None]:
    """Return cosines and sines [context, head_size / 2]; the other half of a rotary table says the same."""
    if isinstance(positions, LearnedPositions):
        return None, None
    half = positions.cos.shape[1] // 2
    return positions.cos[:, :half].float().contiguous(), positions.sin[:, :half].float().contiguous()
