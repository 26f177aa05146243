"""The kernel's C structures, and how tensors become pointers. The order of fields is that of kernel.c."""

import ctypes

from torch import Tensor

from greencode_lsp.engine.packed.packing import PackedWeight


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


class CLayer(ctypes.Structure):
    """A decoder layer."""

    _fields_ = (
        ("qkv", CLinear),
        ("attention_out", CLinear),
        ("mlp_in", CLinear),
        ("mlp_out", CLinear),
        ("attention_norm", ctypes.c_void_p),
        ("attention_norm_bias", ctypes.c_void_p),
        ("mlp_norm", ctypes.c_void_p),
        ("mlp_norm_bias", ctypes.c_void_p),
    )


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
    )


def pointer(tensor: Tensor | None) -> int | None:
    """Return a contiguous tensor's address; the caller keeps the tensor alive."""
    if tensor is None:
        return None
    assert tensor.is_contiguous()
    return tensor.data_ptr()


def linear(weight: PackedWeight, bias: Tensor | None) -> CLinear:
    """Describe a packed linear map to the kernel."""
    return CLinear(
        weight.outputs, weight.inputs, weight.bits, pointer(weight.codes), pointer(weight.scales), pointer(bias)
    )
