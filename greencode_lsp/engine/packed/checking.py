"""Sizes of packed weights and of what is computed with them, before the kernel sees their addresses.

The kernel checks the sizes that it is told (kernel/checking.h). Whether a tensor is as large as it is told, only
Python knows.
"""

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, LearnedPositions, Norm, RotaryTable
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.grid import GROUP
from greencode_lsp.engine.packed.packing import BLOCK
from greencode_lsp.engine.packed.weights import PackedLinear, PackedWeights

CODE_BYTES = {4: 256, 8: 512}
"""Of a block of 16 outputs and a group of 32 inputs, by bits."""

SCALES = {4: 32, 8: 16}


def check_weights(weights: PackedWeights, shape: Architecture) -> None:
    """Raise `EngineError` in one line unless all packed weights have the sizes that the model's shape asks for."""
    if len(weights.layers) != shape.layers:
        raise EngineError(f"packed weights have {len(weights.layers)} layers, wanted {shape.layers}")
    for index, layer in enumerate(weights.layers):
        for name, (outputs, inputs) in shape.matrices.items():
            check_linear(getattr(layer, name), outputs, inputs, f"{name} of layer {index}")
        check_norm(layer.attention_norm, shape, f"attention_norm of layer {index}")
        check_norm(layer.mlp_norm, shape, f"mlp_norm of layer {index}")
    check_norm(weights.final_norm, shape, "final_norm")
    for name, head in (("head", weights.head), ("screen", weights.screen)):
        if head is not None:
            check_linear(head, padded(shape.vocabulary_size), shape.hidden_size, name)
    if weights.embedding is not None:
        expect(weights.embedding, "embedding", torch.half, shape.vocabulary_size, shape.hidden_size)
    elif weights.head.weight.bits != 8:
        raise EngineError("packed weights have no embedding, wanted one, or a head of 8 bits")
    check_positions(weights.positions, shape)


def check_positions(positions: RotaryTable | LearnedPositions, shape: Architecture) -> None:
    """Raise `EngineError` unless there is a rotation or an embedding for each position of the context."""
    if isinstance(positions, LearnedPositions):
        if positions.offset < 0:
            raise EngineError(f"packed positions begin at {positions.offset}, wanted 0 or more")
        expect(positions.table, "positions", torch.float, shape.context_length + positions.offset, shape.hidden_size)
        return
    for name, table in (("cos", positions.cos), ("sin", positions.sin)):
        expect(table, name, torch.float, shape.context_length, shape.head_size)


def check_norm(norm: Norm, shape: Architecture, name: str) -> None:
    """Raise `EngineError` unless a norm has the model's size, and a bias where the family's norms have one."""
    expect(norm.weight, f"{name}.weight", torch.float, shape.hidden_size)
    if norm.bias is not None:
        expect(norm.bias, f"{name}.bias", torch.float, shape.hidden_size)
    elif shape.norm == "layer":
        raise EngineError(f"packed {name} has no bias, wanted one")


def check_linear(linear: PackedLinear, outputs: int, inputs: int, name: str) -> None:
    """Raise `EngineError` unless a linear map has these sizes, and its tensors hold as much as they must."""
    weight = linear.weight
    if weight.bits not in CODE_BYTES or (weight.outputs, weight.inputs) != (outputs, inputs):
        found = f"[{weight.outputs}, {weight.inputs}] in {weight.bits} bits"
        raise EngineError(f"packed {name} is {found}, wanted [{outputs}, {inputs}] in 4 or 8 bits")
    if outputs % BLOCK or inputs % GROUP:
        raise EngineError(f"packed {name} is [{outputs}, {inputs}], wanted multiples of {BLOCK} and {GROUP}")
    blocks, groups = outputs // BLOCK, inputs // GROUP
    expect(weight.codes, f"{name}.codes", torch.uint8, blocks, groups, CODE_BYTES[weight.bits])
    expect(weight.scales, f"{name}.scales", torch.half, blocks, groups, SCALES[weight.bits])
    if linear.bias is not None:
        expect(linear.bias, f"{name}.bias", torch.float, outputs)


def expect(tensor: Tensor, name: str, dtype: torch.dtype, *sizes: int) -> None:
    """Raise `EngineError` unless a tensor lies in one piece in memory and is of this type and these sizes."""
    if tensor.dtype != dtype or tuple(tensor.shape) != sizes or not tensor.is_contiguous():
        found, wanted = (str(each).removeprefix("torch.") for each in (tensor.dtype, dtype))
        raise EngineError(f"packed {name} is {found} {list(tensor.shape)}, wanted {wanted} {list(sizes)}")


def check_states(hidden: Tensor, hidden_size: int) -> None:
    """Raise `EngineError` unless hidden states are [rows, hidden] in single precision."""
    if hidden.dtype != torch.float or hidden.dim() != 2 or hidden.shape[1] != hidden_size:
        found = f"{str(hidden.dtype).removeprefix('torch.')} {list(hidden.shape)}"
        raise EngineError(f"hidden states are {found}, wanted float32 [rows, {hidden_size}]")


def check_cache(cache: Cache, layers: int, shape: Architecture) -> None:
    """Raise `EngineError` unless a cache has room for the keys and values of so many layers of the model."""
    wanted = (layers, shape.kv_heads, cache.capacity, shape.head_size)
    if tuple(cache.keys.shape) != wanted or tuple(cache.values.shape) != wanted:
        raise EngineError(f"a cache is {list(cache.keys.shape)}, wanted {list(wanted)}")


def check_done(result: int) -> None:
    """Raise `EngineError` where the kernel refused what it was told (BAD_ARGUMENTS)."""
    if result < 0:
        raise EngineError("the kernel was asked to compute with sizes that do not fit each other; nothing was computed")


def padded(outputs: int) -> int:
    """Round outputs up to whole blocks."""
    return -(-outputs // BLOCK) * BLOCK
