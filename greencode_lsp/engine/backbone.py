"""A causal language model as embedding, decoder layers, final norm and head, in plain PyTorch.

All functions work on one sequence at a time: rows are neighbouring tokens of it, not a batch of texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from greencode_lsp.engine.adapters import load_adapters, merge_adapters
from greencode_lsp.engine.architecture import (
    Architecture,
    Layer,
    LearnedPositions,
    Linear,
    Norm,
    RotaryTable,
    Weights,
    plain_norm,
)
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.checkpoint import Checkpoint
from greencode_lsp.engine.drafts.drafter import Draft, Drafter, DraftNetwork
from greencode_lsp.engine.errors import EngineError, NumericalError
from greencode_lsp.engine.exits import ExitHead, Translator, changed_head, translator_bytes
from greencode_lsp.engine.families import family_of
from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.engine.kv_map import KvFiller, KvMap, check_halves
from greencode_lsp.engine.shortlist import PartOfHead
from greencode_lsp.engine.validation import check_token_ids

if TYPE_CHECKING:
    from greencode_lsp.policy.learned import PolicyNetwork

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda values: functional.gelu(values, approximate="tanh"),
}


@dataclass(frozen=True)
class Rows:
    """What every layer needs to know about the rows it is given: made once per run, shared by its layers.

    `where` are their positions, as a slice or as indices [rows]; they attend to positions before `end` as the mask lets
    them. Shapes: cos and sin [rows, 1, rotary_size] (rotary only), mask [group * rows, end] additive (None hides none).
    """

    where: slice | Tensor
    end: int
    rotary: tuple[Tensor, Tensor] | None
    mask: Tensor | None


class Backbone:
    """A model's shape and weights, and the computations on them. Holds no state of any text."""

    def __init__(self, shape: Architecture, weights: Weights) -> None:
        self.shape, self.weights = shape, weights
        self._group = shape.heads // shape.kv_heads
        self._parts: dict[int, PartOfHead] = {}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.weights.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of weights, hidden states and K/V."""
        return self.weights.embedding.dtype

    @property
    def description(self) -> str:
        """What people may want to know: how the weights are held."""
        return f"plain PyTorch, {str(self.dtype).removeprefix('torch.')}"

    def drafter(self, network: DraftNetwork) -> Drafter:
        """Return what computes a drafter here."""
        return PlainDrafter(self, network)

    def filler(self, found: KvMap) -> KvFiller | None:
        """Return what computes a map of keys and values here."""
        return PlainFiller(self, found)

    def cast(self, tensor: Tensor) -> Tensor:
        """Return a tensor where the weights are, in their number format."""
        return tensor.to(self.device, self.dtype)

    def cast_norm(self, norm: Norm) -> Norm:
        """Return a norm where the weights are, in their number format."""
        return Norm(self.cast(norm.weight), None if norm.bias is None else self.cast(norm.bias))

    def layer_bytes(self, index: int) -> int:
        """Return how many bytes of weights layer `index` (0-based) reads, however many rows it runs on."""
        layer = self.weights.layers[index]
        return sum(each.weight.nbytes for each in (layer.qkv, layer.attention_out, layer.mlp_in, layer.mlp_out))

    @property
    def unread_share(self) -> float:
        """What a row that is not read costs in the last layer, as a share of one that is: as much."""
        return 1.0

    def head_bytes(self) -> int:
        """Return how many bytes of weights the head reads."""
        return self.weights.head.weight.nbytes

    def embed(self, tokens: list[int], start: int) -> Tensor:
        """Return the hidden states [rows, hidden] that enter layer 1 for tokens at positions from `start`."""
        check_token_ids(tokens, self.shape.vocabulary_size)
        hidden = self.weights.embedding[torch.tensor(tokens, dtype=torch.long, device=self.device)]
        positions = self.weights.positions
        if isinstance(positions, LearnedPositions):
            first = start + positions.offset
            hidden = hidden + positions.table[first : first + len(tokens)]
        return hidden

    def rows(self, start: int, count: int) -> Rows:
        """Describe `count` rows at positions from `start`: their rotations and who may attend to whom."""
        end = start + count
        where = slice(start, end)
        mask = self._causal_mask(start, count) if count > 1 else None
        return Rows(where, end, self.rotations(where), mask)

    def rotations(self, where: slice | Tensor) -> tuple[Tensor, Tensor] | None:
        """Return cosines and sines [rows, 1, rotary_size] of these positions, where positions are rotations."""
        positions = self.weights.positions
        return (positions.cos[where, None], positions.sin[where, None]) if isinstance(positions, RotaryTable) else None

    def new_cache(self, layers: int) -> Cache:
        """Return an empty cache for that many neighbouring layers."""
        return Cache(self.weights.embedding, layers, self.shape.kv_heads, self.shape.head_size)

    def run_layers(self, layers: range, hidden: Tensor, start: int, cache: Cache, read: int | None = None) -> Tensor:
        """Run layers (0-based) on hidden [rows, hidden] at positions from `start`; return what they make of them.

        `cache` holds the K/V of these layers for all earlier positions; the rows' own are written. All rows run through
        all of these layers, however many are `read`.
        """
        cache.reserve(start + len(hidden), start)
        rows = self.rows(start, len(hidden))
        for index, keys, values in zip(layers, cache.keys, cache.values, strict=True):
            hidden = self.run_layer(self.weights.layers[index], hidden, rows, keys, values)
        return hidden

    def run_layer(self, layer: Layer, hidden: Tensor, rows: Rows, keys: Tensor, values: Tensor) -> Tensor:
        """Run one layer on hidden [rows, hidden], with its keys and values [kv_heads, capacity, head_size]."""
        attended = hidden + self._attend(layer, normalise(self.shape, hidden, layer.attention_norm), rows, keys, values)
        mlp_reads = hidden if self.shape.parallel_residual else attended
        return attended + run_mlp(self.shape, layer, mlp_reads)

    def all_finite(self, hidden: Tensor) -> bool:
        """Say whether no number of hidden states is NaN or infinite."""
        return bool(torch.isfinite(hidden).all())

    def scorer(self, network: "PolicyNetwork") -> "PolicyNetwork":
        """Return a policy's network as this runner computes it: as it is."""
        return network

    def logits(self, hidden: Tensor) -> Tensor:
        """Read hidden states [rows, hidden] through the final norm and the head: [rows, vocabulary]."""
        return apply(self.weights.head, normalise(self.shape, hidden, self.weights.final_norm))

    def reader(self, head: ExitHead | None = None) -> "PlainReader":
        """Return what reads hidden states, through an exit's own head or as full depth does."""
        return PlainReader(self, head)

    def exit_logits(self, head: ExitHead, hidden: Tensor) -> Tensor:
        """Read an exit's hidden states [rows, hidden] through its own translator and norm: [rows, vocabulary]."""
        return apply(self.weights.head, self.exit_states(head, hidden))

    def exit_states(self, head: ExitHead, hidden: Tensor) -> Tensor:
        """Return what the shared head reads of an exit's hidden states [rows, hidden]."""
        return normalise(self.shape, self.translate(head, hidden), head.norm)

    def part_of_head(self, ids: Tensor) -> PartOfHead:
        """Return the part of the head that reads these tokens, ids [tokens]; exits share it."""
        if ids.data_ptr() not in self._parts:
            self._parts[ids.data_ptr()] = PartOfHead(self.weights.head, ids)
        return self._parts[ids.data_ptr()]

    def translate(self, head: ExitHead, hidden: Tensor) -> Tensor:
        """Return what an exit's translator makes of hidden states [rows, hidden], before its norm."""
        return translate(self.shape, head, hidden)

    def _attend(self, layer: Layer, hidden: Tensor, rows: Rows, keys: Tensor, values: Tensor) -> Tensor:
        shape, count = self.shape, hidden.shape[0]
        fused = apply(layer.qkv, hidden).view(count, shape.heads + 2 * shape.kv_heads, shape.head_size)
        queries, key, value = torch.split(fused, [shape.heads, shape.kv_heads, shape.kv_heads], dim=1)
        if layer.query_norm is not None and layer.key_norm is not None:
            queries, key = normalise(self.shape, queries, layer.query_norm), normalise(self.shape, key, layer.key_norm)
        if rows.rotary is not None:
            queries, key = rotate(queries, *rows.rotary), rotate(key, *rows.rotary)
        keys[:, rows.where] = key.transpose(0, 1)
        values[:, rows.where] = value.transpose(0, 1)
        # The query heads that share a K/V head become further rows of it: grouped attention without copies of K/V.
        queries = queries.view(count, shape.kv_heads, self._group, shape.head_size).permute(1, 2, 0, 3)
        attended = functional.scaled_dot_product_attention(
            queries.reshape(1, shape.kv_heads, self._group * count, shape.head_size),
            keys[None, :, : rows.end],
            values[None, :, : rows.end],
            attn_mask=rows.mask,
        )  # [1, kv_heads, group * rows, head_size]
        attended = attended.view(shape.kv_heads, self._group, count, shape.head_size).permute(2, 0, 1, 3)
        return apply(layer.attention_out, attended.reshape(count, shape.heads * shape.head_size))

    def _causal_mask(self, start: int, count: int) -> Tensor:
        mask = torch.full((count, start + count), -torch.inf, dtype=self.dtype, device=self.device)
        return mask.triu(diagonal=start + 1).repeat(self._group, 1)


class PlainFiller:
    """Computes a map of keys and values, and writes them."""

    def __init__(self, backbone: Backbone, found: KvMap) -> None:
        self._backbone = backbone
        weight, bias = found.linear.weight, found.linear.bias
        self._linear = Linear(backbone.cast(weight), None if bias is None else backbone.cast(bias))
        self._norm = backbone.cast_norm(plain_norm(backbone.shape))
        self.map_bytes, self._depth = self._linear.weight.nbytes, found.depth

    def fill(self, hidden: Tensor, start: int, caches: Sequence[tuple[range, Cache]]) -> None:
        """Write what rows, hidden [rows, hidden] after the map's depth, would leave in these neighbouring layers."""
        backbone, shape, rows = self._backbone, self._backbone.shape, len(hidden)
        mapped = apply(self._linear, normalise(shape, hidden, self._norm))
        check_halves(mapped, self._depth)
        both = mapped.view(rows, -1, 2, shape.kv_heads, shape.head_size)
        keys, values = both[:, :, 0], both[:, :, 1]
        rotary = backbone.rotations(slice(start, start + rows))
        done = 0
        for layers, cache in caches:
            cache.reserve(start + rows, start)
            for layer in range(len(layers)):
                key = keys[:, done] if rotary is None else rotate(keys[:, done], *rotary)
                cache.keys[layer, :, start : start + rows] = key.transpose(0, 1)
                cache.values[layer, :, start : start + rows] = values[:, done].transpose(0, 1)
                done += 1


class PlainDrafter:
    """Computes a drafter."""

    def __init__(self, backbone: Backbone, network: DraftNetwork) -> None:
        self._backbone, self._norm = backbone, backbone.cast_norm(plain_norm(backbone.shape))
        self._of_state, self._of_token = (backbone.cast(part.weight) for part in (network.of_state, network.of_token))
        self._head = changed_head(network.head, backbone.cast)
        self._reader = PlainReader(backbone, replace(self._head, translator=None))
        self.network_bytes = self._of_state.nbytes + self._of_token.nbytes + translator_bytes(self._head)
        self.shortlist_bytes = self._reader.shortlist_bytes

    def draft(self, state: Tensor, token: int, words: tuple[int, ...]) -> Draft:
        """Say what mostly comes behind a token that was chosen by a state [1, hidden] at full depth."""
        backbone, shape = self._backbone, self._backbone.shape
        row = backbone.weights.head.weight[token : token + 1]
        mixed = functional.linear(normalise(shape, backbone.cast(state), self._norm), self._of_state)
        mixed = mixed + functional.linear(normalise(shape, row, self._norm), self._of_token)
        made_up = backbone.translate(self._head, mixed)
        ids, probabilities = self._reader.likeliest(made_up, words)
        return Draft(int(ids[0]), float(probabilities[0]), made_up)


class PlainReader:
    """Reads hidden states behind one exit, or behind the last layer."""

    def __init__(self, backbone: Backbone, head: ExitHead | None) -> None:
        self._backbone, self._head = backbone, head
        self._part = None if head is None or head.shortlist is None else backbone.part_of_head(head.shortlist)

    @property
    def translator_bytes(self) -> int:
        """Return how many bytes of weights an exit's translator reads before the head; 0 without one."""
        return 0 if self._head is None else translator_bytes(self._head)

    @property
    def shortlist_bytes(self) -> int:
        """Return how many bytes of weights `likeliest` reads in place of the head; 0 without a shortlist."""
        return 0 if self._part is None else self._part.byte_count

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits [rows, vocabulary] of hidden states [rows, hidden]."""
        return self._backbone.logits(hidden) if self._head is None else self._backbone.exit_logits(self._head, hidden)

    def likeliest(self, hidden: Tensor, words: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """Return the ids [rows] of the most likely tokens, of the shortlist where there is one, and probabilities.

        These, [rows], are shares among the tokens that were read. Raises `NumericalError` where a logit is NaN.
        """
        if self._part is not None:
            self._part.take(words)
        ids, probabilities = self.chosen(hidden)
        if bool(probabilities.isnan().any()):
            raise NumericalError("a logit is NaN")
        return ids.cpu(), probabilities.cpu()

    def chosen(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `likeliest` does with the words it was given last, NaN for probabilities where it would raise."""
        if self._head is None or self._part is None:
            return best_of_rows(self.logits(hidden))
        places, probabilities = best_of_rows(apply(self._part.linear, self._backbone.exit_states(self._head, hidden)))
        return self._part.ids[places], probabilities


def best_of_rows(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each row of logits [rows, tokens] is largest, and the probability there; NaN where one is NaN."""
    logits = logits.float()
    largest, places = logits.max(dim=-1)
    return places, (largest - logits.logsumexp(dim=-1)).exp()


def apply(linear: Linear, hidden: Tensor) -> Tensor:
    """Apply an affine map to hidden [rows, in], giving [rows, out]."""
    return functional.linear(hidden, linear.weight, linear.bias)


def normalise(shape: Architecture, hidden: Tensor, norm: Norm) -> Tensor:
    """Normalise the last dimension of hidden [..., size] as the model's family does."""
    size = norm.weight.shape
    if shape.norm == "rms":
        return functional.rms_norm(hidden, size, norm.weight, shape.norm_epsilon)
    return functional.layer_norm(hidden, size, norm.weight, norm.bias, shape.norm_epsilon)


def run_mlp(shape: Architecture, layer: Layer | Translator, hidden: Tensor) -> Tensor:
    """Return what an MLP adds to hidden [..., hidden], its norm included."""
    inner = apply(layer.mlp_in, normalise(shape, hidden, layer.mlp_norm))
    activation = ACTIVATIONS[shape.activation]
    if shape.gated:
        gate, up = inner.chunk(2, dim=-1)
        inner = activation(gate) * up
    else:
        inner = activation(inner)
    return apply(layer.mlp_out, inner)


def translate(shape: Architecture, head: ExitHead, hidden: Tensor) -> Tensor:
    """Return what an exit's translator makes of hidden [..., hidden]; without one, hidden itself."""
    return hidden if head.translator is None else hidden + run_mlp(shape, head.translator, hidden)


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate heads [rows, heads, head_size] by their positions, halves against each other (RoFormer, as Llama).

    Shapes: cos and sin [rows, 1, rotary_size]; what lies beyond rotary_size in a head stays as it is.
    """
    rotary_size = cos.shape[-1]
    turning, rest = heads[..., :rotary_size], heads[..., rotary_size:]
    first, second = turning.chunk(2, dim=-1)
    turned = turning * cos + torch.cat((-second, first), dim=-1) * sin
    return torch.cat((turned, rest), dim=-1) if rest.shape[-1] else turned


def load_backbone(
    folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32, adapters: Path | None = None
) -> Backbone:
    """Load the model of a Hugging Face style folder; raise `EngineError` in one line when it cannot be run.

    `adapters` is a file of changes to its layers, made by training and merged here.
    """
    checkpoint = Checkpoint(folder, torch.device(device), dtype)
    family = family_of(checkpoint.config)
    try:
        shape = family.read_architecture(checkpoint.config)
        weights = family.read_weights(checkpoint, checkpoint.config, shape)
        checkpoint.check_all_read()
    except EngineError as error:
        raise error if str(folder) in str(error) else EngineError(f"{folder}: {error}") from error
    if adapters is not None:
        weights = merge_adapters(weights, load_adapters(adapters, shape, weights_identity(folder)))
    return Backbone(shape, weights)
