"""Qwen2, Qwen2.5 and Qwen2.5-Coder: Llama with biases on queries, keys and values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.families import llama
from greencode_lsp.engine.families.reading import refuse_sliding_window

MODEL_TYPE = "qwen2"

read_weights = llama.read_weights


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate a Qwen2 `config.json`; raise `EngineError` where it uses a sliding window."""
    refuse_sliding_window(config)
    return replace(llama.read_architecture(config), family=MODEL_TYPE)
