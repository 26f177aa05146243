"""Rotary position embeddings: plain, linearly scaled, and Llama 3's frequency-dependent scaling."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import RotaryTable
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.families.reading import number, shown


def rotary_table(config: Mapping[str, Any], rotary_size: int, length: int, like: Tensor) -> RotaryTable:
    """Tabulate cosines and sines for `length` positions, on the device and in the dtype of `like`.

    `rotary_size` is how much of every head is rotated: all of it in most families.
    Reads all spellings of the parameters: `rope_parameters` (transformers 5), `rope_theta` + `rope_scaling`, and
    GPT-NeoX's `rotary_emb_base`.
    """
    if rotary_size < 2 or rotary_size % 2:
        raise EngineError(f"config.json: {rotary_size} numbers of each head are rotated, wanted an even number of them")
    parameters = rotary_parameters(config)
    named = ((parameters, "rope_theta"), (config, "rope_theta"), (config, "rotary_emb_base"))
    theta = next((number(where, name) for where, name in named if where.get(name) is not None), 10000.0)
    exponents = torch.arange(0, rotary_size, 2, dtype=torch.float32) / rotary_size
    frequencies = scaled(1.0 / theta**exponents, parameters)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)  # [length, rotary_size / 2]
    angles = torch.cat((angles, angles), dim=-1)
    return RotaryTable(angles.cos().to(like), angles.sin().to(like))


def rotary_parameters(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what `config.json` says of rotations under either name, nothing where it says none."""
    for name in ("rope_parameters", "rope_scaling"):
        if (found := config.get(name)) is not None:
            if not isinstance(found, Mapping):
                raise EngineError(f"config.json: {name} is {shown(found)}, wanted an object or null")
            if found:
                return found
    return {}


def scaled(frequencies: Tensor, parameters: Mapping[str, Any]) -> Tensor:
    """Apply the context extension that the configuration names; raise `EngineError` for one that is unknown."""
    kind = parameters.get("rope_type") or parameters.get("type") or "default"
    if kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / number(parameters, "factor")
    if kind == "llama3":
        return llama3_scaled(frequencies, parameters)
    raise EngineError(f"config.json: rope_type is {shown(kind)}, wanted default, linear or llama3")


def llama3_scaled(frequencies: Tensor, parameters: Mapping[str, Any]) -> Tensor:
    """Stretch long wavelengths by `factor`, keep short ones, blend between (Llama 3.1 model card and code)."""
    factor, low, high, context = (
        number(parameters, name)
        for name in ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    )
    if low >= high:
        raise EngineError(f"config.json: low_freq_factor is {low}, wanted less than high_freq_factor, {high}")
    wavelengths = 2 * math.pi / frequencies
    blend = ((context / wavelengths - low) / (high - low)).clamp(0.0, 1.0)  # 0: stretch, 1: keep
    return (1 - blend) * frequencies / factor + blend * frequencies
