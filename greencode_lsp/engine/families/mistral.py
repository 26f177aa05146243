"""Mistral: Llama with, in its first version, a sliding attention window, within which the context is kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.families import llama
from greencode_lsp.engine.families.reading import context_in_window

MODEL_TYPE = "mistral"

DEFAULT_WINDOW = 4096
"""What transformers takes for a `config.json` that says nothing; later versions say null."""

read_weights = llama.read_weights


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate a Mistral `config.json`."""
    context = context_in_window(config, DEFAULT_WINDOW)
    return replace(llama.read_architecture(config), family=MODEL_TYPE, context_length=context)
