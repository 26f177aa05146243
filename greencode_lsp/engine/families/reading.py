"""Reading `config.json` the way Hugging Face wrote it; whatever has no sense there is refused by its name."""

from collections.abc import Mapping
from typing import Any, Literal

from greencode_lsp.engine.errors import EngineError

Activation = Literal["silu", "relu", "gelu", "gelu_tanh"]

ACTIVATIONS: dict[str, Activation] = {
    "silu": "silu",
    "relu": "relu",
    "gelu": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
"""Ours by Hugging Face's names; three of those are one function written in three ways."""

LONGEST_SHOWN = 60
"""Characters of a wrong value that an error message shows."""

MOST = 1e30
"""Above every number that a configuration has a use for."""


def integer(config: Mapping[str, Any], *names: str, default: int | None = None) -> int:
    """Return the first of these keys that is set, a count of at least 1; raise `EngineError` for anything else."""
    for name in names:
        value = config.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise EngineError(f"config.json: {name} is {shown(value)}, wanted a whole number from 1 on")
        return value
    if default is not None:
        return default
    raise EngineError(f"config.json lacks {names[0]!r}")


def number(config: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """Return a key's finite number above 0, or the default where it is not set; raise `EngineError` for others."""
    value = config.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MOST:
        raise EngineError(f"config.json: {name} is {shown(value)}, wanted a number above 0")
    return float(value)


def switch(config: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a key that is true or false, or the default where it is not set; raise `EngineError` for others."""
    value = config.get(name)
    if value is not None and type(value) is not bool:
        raise EngineError(f"config.json: {name} is {shown(value)}, wanted true or false")
    return default if value is None else value


def shown(value: object) -> str:
    """Return a value as an error message shows it: on one line, and not all of a long one."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def end_of_text(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the token ids that end a text: `eos_token_id`, which may be one number, a list or null."""
    value = config.get("eos_token_id")
    ids = () if value is None else tuple(value) if isinstance(value, list) else (value,)
    if any(type(each) is not int or each < 0 for each in ids):
        raise EngineError(f"config.json: eos_token_id is {shown(value)}, wanted token ids or null")
    return ids


def activation(config: Mapping[str, Any], key: str, default: str) -> Activation:
    """Return the MLP's activation; raise `EngineError` for one that greencode does not have."""
    name = config.get(key) or default
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise EngineError(f"config.json: {key} is {shown(name)}, wanted one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def context_in_window(config: Mapping[str, Any], default_window: int | None = None) -> int:
    """Return how many tokens fit before a sliding attention window would hide the first of them.

    A window shorter than the context is what some models can *read*, not what they need: within it, sliding and
    full attention are the same, and nothing has to be forgotten.
    """
    context = integer(config, "max_position_embeddings")
    if "sliding_window" in config and config["sliding_window"] is None:
        return context
    return min(context, integer(config, "sliding_window", default=default_window or context))


def refuse_sliding_window(config: Mapping[str, Any]) -> None:
    """Raise `EngineError` where only some layers attend through a window (Qwen2 and 3, off in all released ones)."""
    if switch(config, "use_sliding_window", False):
        raise EngineError("this model uses sliding window attention; set use_sliding_window to false in config.json")
