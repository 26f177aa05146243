"""A backbone on packed weights: the same interface as the plain one, a tenth of the time and a quarter of the memory.

Rows are computed independently of what is computed beside them, to the bit, so the engine's invariants (verified
drafts, warm sessions, chunked prompts) hold exactly here and not only up to rounding.
"""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, LearnedPositions, Linear, RotaryTable
from greencode_lsp.engine.backbone import Backbone, load_backbone
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.packed.library import KernelUnavailableError, load_library
from greencode_lsp.engine.packed.packing import BLOCK, GROUP, pack
from greencode_lsp.engine.packed.store import PackedStore
from greencode_lsp.engine.packed.structures import CLayer, CLinear, CShape, linear, pointer
from greencode_lsp.engine.packed.weights import PackedLayer, PackedLinear, PackedWeights

FAMILIES = ("llama", "mistral", "opt", "qwen2")
"""Families whose layers the kernel computes."""

LARGEST_HEAD = 256


class PackedBackbone:
    """A model's shape and packed weights, and the computations on them. Used from one thread only."""

    def __init__(self, shape: Architecture, weights: PackedWeights) -> None:
        self.shape, self.weights = shape, weights
        self._library = load_library()
        self._layers = (CLayer * shape.layers)(*map(described, weights.layers))
        self._head = described_linear(weights.head)
        self._workspace = torch.empty(0, dtype=torch.uint8)
        self._rotary = half_tables(weights.positions)
        mlp_out = weights.layers[0].mlp_out.weight
        self._shape = CShape(
            shape.hidden_size,
            shape.heads,
            shape.kv_heads,
            shape.head_size,
            mlp_out.inputs,
            int(shape.gated),
            int(shape.norm == "layer"),
            shape.norm_epsilon,
            *map(pointer, self._rotary),
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
        return f"packed weights, {self.weights.layers[0].mlp_in.weight.bits} bits, AVX-512 VNNI"

    def embed(self, tokens: list[int], start: int) -> Tensor:
        """Return the hidden states [rows, hidden] that enter layer 1 for tokens at positions from `start`."""
        indices = torch.tensor(tokens, dtype=torch.long)
        embedding, positions = self.weights.embedding, self.weights.positions
        hidden = self.weights.head.weight.rows(indices) if embedding is None else embedding[indices].float()
        if isinstance(positions, LearnedPositions):
            first = start + positions.offset
            hidden = hidden + positions.table[first : first + len(tokens)]
        return hidden

    def new_cache(self, layers: int) -> Cache:
        """Return an empty cache, of half floats, for that many neighbouring layers."""
        return Cache(torch.empty(0, dtype=torch.float16), layers, self.shape.kv_heads, self.shape.head_size)

    def run_layers(self, layers: range, hidden: Tensor, start: int, cache: Cache) -> Tensor:
        """Run layers (0-based) on hidden [rows, hidden] at positions from `start`; return what they make of them.

        `cache` holds the K/V of these layers for all earlier positions; the rows' own are written.
        """
        rows = len(hidden)
        cache.reserve(start + rows, start)
        hidden = hidden.clone(memory_format=torch.contiguous_format)
        threads = torch.get_num_threads()
        needed = self._library.workspace_bytes(ctypes.byref(self._shape), *counts(rows, start + rows, threads))
        first = ctypes.byref(self._layers, layers.start * ctypes.sizeof(CLayer))
        self._library.run_layers(
            ctypes.byref(self._shape),
            first,
            ctypes.c_int64(len(layers)),
            ctypes.c_void_p(hidden.data_ptr()),
            *counts(rows, start),
            ctypes.c_void_p(cache.keys.data_ptr()),
            ctypes.c_void_p(cache.values.data_ptr()),
            ctypes.c_int64(cache.capacity),
            self._reserved(needed),
            ctypes.c_int64(threads),
        )
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Read hidden states [rows, hidden] through the final norm and the head: [rows, vocabulary]."""
        hidden, norm = hidden.contiguous(), self.weights.final_norm
        logits = torch.empty(len(hidden), self.weights.head.weight.outputs)
        self._library.run_head(
            ctypes.byref(self._shape),
            ctypes.byref(self._head),
            ctypes.c_void_p(norm.weight.data_ptr()),
            ctypes.c_void_p(pointer(norm.bias)),
            ctypes.c_void_p(hidden.data_ptr()),
            ctypes.c_int64(len(hidden)),
            ctypes.c_void_p(logits.data_ptr()),
            self._reserved(len(hidden) * self.shape.hidden_size * 2 + 4096),
            ctypes.c_int64(torch.get_num_threads()),
        )
        return logits[:, : self.shape.vocabulary_size]

    def layer_bytes(self, index: int) -> int:
        """Return how many bytes of weights layer `index` (0-based) reads, however many rows it runs on."""
        layer = self.weights.layers[index]
        maps = (layer.qkv, layer.attention_out, layer.mlp_in, layer.mlp_out)
        return sum(each.weight.byte_count for each in maps)

    def head_bytes(self) -> int:
        """Return how many bytes of weights the head reads."""
        return self.weights.head.weight.byte_count

    def _reserved(self, size: int) -> ctypes.c_void_p:
        if len(self._workspace) < size:
            self._workspace = torch.empty(2 * size, dtype=torch.uint8)
        return ctypes.c_void_p(self._workspace.data_ptr())


def load_packed(folder: Path, store: Path) -> PackedBackbone:
    """Load a model folder for the packed runner, from `store` where it was packed before.

    Raises `KernelUnavailableError` where this machine or this model cannot run it, `EngineError` for a broken folder.
    """
    load_library()
    kept = PackedStore(store, folder)
    loaded = kept.load()
    if loaded is None:
        loaded = packed(load_backbone(folder))
        kept.save(*loaded)
    return PackedBackbone(*loaded)


def packed(backbone: Backbone) -> tuple[Architecture, PackedWeights]:
    """Pack a plain backbone; raise `KernelUnavailableError` where the kernel cannot compute its layers."""
    shape, weights = backbone.shape, backbone.weights
    reason = unsupported(shape, weights.layers[0].mlp_out)
    if reason:
        raise KernelUnavailableError(f"the fast CPU kernel does not run this model: {reason}")
    tied = weights.head.weight is weights.embedding
    head = packed_linear(weights.head)
    return shape, PackedWeights(
        embedding=None if tied and head.weight.bits == 8 else weights.embedding.half(),
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
    )


def unsupported(shape: Architecture, mlp_out: Linear) -> str:
    """Say why the kernel cannot compute a model's layers; nothing where it can."""
    if shape.family not in FAMILIES:
        return f"family {shape.family}"
    if (shape.gated, shape.activation) not in ((True, "silu"), (False, "relu")):
        return f"activation {shape.activation}"
    if shape.head_size % BLOCK or shape.head_size > LARGEST_HEAD:
        return f"head size {shape.head_size}"
    if shape.hidden_size % GROUP or mlp_out.weight.shape[1] % GROUP:
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


def described(layer: PackedLayer) -> CLayer:
    """Describe a layer to the kernel."""
    return CLayer(
        *map(described_linear, (layer.qkv, layer.attention_out, layer.mlp_in, layer.mlp_out)),
        pointer(layer.attention_norm.weight),
        pointer(layer.attention_norm.bias),
        pointer(layer.mlp_norm.weight),
        pointer(layer.mlp_norm.bias),
    )


def described_linear(plain: PackedLinear) -> CLinear:
    """Describe a linear map to the kernel."""
    return linear(plain.weight, plain.bias)


def counts(*numbers: int) -> tuple[ctypes.c_int64, ...]:
    """Return numbers as the kernel takes them."""
    return tuple(ctypes.c_int64(number) for number in numbers)
