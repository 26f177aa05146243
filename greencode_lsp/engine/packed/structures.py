"""The kernel's C structures, field for field as kernel/types.h and kernel.c have them, and tensors as pointers."""

import ctypes

from torch import Tensor

from greencode_lsp.engine.architecture import Norm
from greencode_lsp.engine.packed.weights import PackedLayer, PackedLinear


class CLinear(ctypes.Structure):
    """A linear map."""

    _fields_ = (
        ("outputs", ctypes.c_int64),
        ("inputs", ctypes.c_int64),
        ("bits", ctypes.c_int64),
        ("codes", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
    )


class CNorm(ctypes.Structure):
    """A norm."""

    _fields_ = (("weight", ctypes.c_void_p), ("bias", ctypes.c_void_p))


class CMlp(ctypes.Structure):
    """The second half of a layer, or an exit's translator."""

    _fields_ = (("norm", CNorm), ("mlp_in", CLinear), ("mlp_out", CLinear))


class CLayer(ctypes.Structure):
    """A decoder layer."""

    _fields_ = (("norm", CNorm), ("qkv", CLinear), ("attention_out", CLinear), ("mlp", CMlp))


class CShape(ctypes.Structure):
    """What all layers share."""

    _fields_ = (
        ("hidden", ctypes.c_int64),
        ("heads", ctypes.c_int64),
        ("kv_heads", ctypes.c_int64),
        ("head_size", ctypes.c_int64),
        ("intermediate", ctypes.c_int64),
        ("gated", ctypes.c_int64),
        ("layer_norm", ctypes.c_int64),
        ("epsilon", ctypes.c_float),
        ("cos", ctypes.c_void_p),
        ("sin", ctypes.c_void_p),
        ("context", ctypes.c_int64),
    )


class CReader(ctypes.Structure):
    """How an exit's hidden states are read."""

    _fields_ = (
        ("shape", ctypes.POINTER(CShape)),
        ("translator", ctypes.POINTER(CMlp)),
        ("norm", CNorm),
        ("head", ctypes.POINTER(CLinear)),
        ("screen", ctypes.POINTER(CLinear)),
        ("vocabulary", ctypes.c_int64),
        ("candidates", ctypes.c_int64),
    )


def pointer(tensor: Tensor | None) -> int | None:
    """Return a contiguous tensor's address; the caller keeps the tensor alive."""
    if tensor is None:
        return None
    assert tensor.is_contiguous()
    return tensor.data_ptr()


def describe_linear(plain: PackedLinear) -> CLinear:
    """Describe a linear map to the kernel."""
    weight = plain.weight
    return CLinear(
        weight.outputs, weight.inputs, weight.bits, pointer(weight.codes), pointer(weight.scales), pointer(plain.bias)
    )


def describe_norm(norm: Norm) -> CNorm:
    """Describe a norm to the kernel."""
    return CNorm(pointer(norm.weight), pointer(norm.bias))


def describe_mlp(norm: Norm, mlp_in: PackedLinear, mlp_out: PackedLinear) -> CMlp:
    """Describe the second half of a layer, or a translator, to the kernel."""
    return CMlp(describe_norm(norm), describe_linear(mlp_in), describe_linear(mlp_out))


def describe_layer(layer: PackedLayer) -> CLayer:
    """Describe a layer to the kernel."""
    return CLayer(
        describe_norm(layer.attention_norm),
        describe_linear(layer.qkv),
        describe_linear(layer.attention_out),
        describe_mlp(layer.mlp_norm, layer.mlp_in, layer.mlp_out),
    )
