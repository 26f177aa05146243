"""Rotary position embeddings: plain, linearly scaled, and Llama 3's frequency-dependent scaling."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import RotaryTable
from greencode_lsp.engine.errors import EngineError


def rotary_table(config: Mapping[str, Any], rotary_size: int, length: int, like: Tensor) -> RotaryTable:
    """Tabulate cosines and sines for `length` positions, on the device and in the dtype of `like`.

    `rotary_size` is how much of every head is rotated: all of it in most families.
    Reads all spellings of the parameters: `rope_parameters` (transformers 5), `rope_theta` + `rope_scaling`, and
    GPT-NeoX's `rotary_emb_base`.
    """
    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = parameters.get("rope_theta") or config.get("rope_theta") or config.get("rotary_emb_base") or 10000.0
    exponents = torch.arange(0, rotary_size, 2, dtype=torch.float32) / rotary_size
    frequencies = scaled(1.0 / float(theta) ** exponents, parameters)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)  # [length, rotary_size / 2]
    angles = torch.cat((angles, angles), dim=-1)
    return RotaryTable(angles.cos().to(like), angles.sin().to(like))


def scaled(frequencies: Tensor, parameters: Mapping[str, Any]) -> Tensor:
    """Apply the context extension that the configuration names; raise `EngineError` for one that is unknown."""
    kind = parameters.get("rope_type") or parameters.get("type") or "default"
    if kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / float(parameters["factor"])
    if kind == "llama3":
        return llama3_scaled(frequencies, parameters)
    raise EngineError(f"unknown rope_type {kind!r}; greencode knows default, linear and llama3")


def llama3_scaled(frequencies: Tensor, parameters: Mapping[str, Any]) -> Tensor:
    """Stretch long wavelengths by `factor`, keep short ones, blend between (Llama 3.1 model card and code)."""
    factor = float(parameters["factor"])
    low, high = float(parameters["low_freq_factor"]), float(parameters["high_freq_factor"])
    context = float(parameters["original_max_position_embeddings"])
    wavelengths = 2 * math.pi / frequencies
    blend = ((context / wavelengths - low) / (high - low)).clamp(0.0, 1.0)  # 0: stretch, 1: keep
    return (1 - blend) * frequencies / factor + blend * frequencies
