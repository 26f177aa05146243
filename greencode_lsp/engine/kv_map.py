"""Keys and values of deep layers from a shallow state: for rows of a long prompt that nobody will read.

A row far above the cursor runs through the layers for one thing only, the keys and values that later rows attend to.
From its state after `depth` layers those of all deeper layers follow nearly by one linear map, learned from code
(`greencode train kv-map`): eight layers for less than one. SwiftKV (arXiv 2410.03960) reads deep layers' keys and
values from one state, too, by projections that are trained again; here the layers stay as they are.

It is for profiles that may lose a little, and the shallower the map, the more. Nothing of it is exact: a session that
holds such rows is not used where all layers must have run, or more of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Linear
from greencode_lsp.engine.cache import BLOCK_ROWS, Cache
from greencode_lsp.engine.errors import EngineError, NumericalError
from greencode_lsp.engine.grid import as_codes, fits_grid, from_codes, nearest_codes, on_grid
from greencode_lsp.engine.validation import check_tensor, converted
from greencode_lsp.files import replace_file
from greencode_lsp.reading import check_regular

KV_MAP_FILES = "kv_map-*.safetensors"

FORMAT = "2"

FIRST_ROWS = BLOCK_ROWS
"""So many rows of every text run through all layers: the first is what others attend to for want of anything better."""

FEWEST_ROWS = 64
"""Fewer are not worth a job of their own."""


@dataclass(frozen=True)
class KvMap:
    """A map from normalised states after `depth` layers to the keys and values of all layers behind.

    Its outputs are [layers behind, 2, kv_heads, head_size]: keys, before they are rotated, and values. `near` rows
    above the last one run through all layers: they are attended to most. `upper_loss` is how many of full depth's right
    tokens may get lost by the others, as a share, at most with 95 % confidence; 1 where nobody has measured it.
    """

    depth: int
    linear: Linear
    near: int
    upper_loss: float = 1.0


@dataclass(frozen=True)
class Filling:
    """A map as a model uses it: the first segment that is filled, by what, and what a row of that costs in layers.

    `near` rows above the last one run.
    """

    segment: int
    filler: "KvFiller"
    layers: float
    near: int


def kv_map_file(depth: int) -> str:
    """Return the name of a map's file; a bundle may have several."""
    return KV_MAP_FILES.replace("*", str(depth))


def check_halves(mapped: Tensor, depth: int) -> None:
    """Raise `NumericalError` unless all mapped numbers are finite and fit into half floats."""
    if not bool((mapped.abs() <= torch.finfo(torch.float16).max).all()):
        raise NumericalError(f"a key or value mapped from layer {depth} is NaN, or too large")


class KvFiller(Protocol):
    """Computes a map's keys and values for one runner, and writes them."""

    map_bytes: int
    """Bytes of weights that it reads."""

    def fill(self, hidden: Tensor, start: int, caches: Sequence[tuple[range, Cache]]) -> None:
        """Write what rows, hidden [rows, hidden] after the map's depth, would leave in these neighbouring layers.

        They stand at positions from `start`; start and rows are multiples of 16. The caches hold all layers behind the
        map's depth, in their order.
        """


def as_kept(found: KvMap) -> KvMap:
    """Return a map in the numbers that its file keeps: on its 4-bit grid, or half floats where sizes forbid that."""
    weight = found.linear.weight
    kept = on_grid(weight) if fits_grid(weight) else weight.half().float()
    return replace(found, linear=Linear(kept, found.linear.bias))


def save_kv_map(path: Path, found: KvMap, shape: Architecture, identity: str) -> None:
    """Write a map as `as_kept` has it; `identity` is that of the weights it was fitted to."""
    weight, bias = found.linear.weight, found.linear.bias
    assert bias is not None, "what is fitted has one"
    kept = as_codes(weight, nearest_codes) if fits_grid(weight) else {"weight": weight.half().contiguous()}
    tensors = {**kept, "bias": bias.float().contiguous()}
    facts = {
        "format": FORMAT,
        "depth": str(found.depth),
        "layers": str(shape.layers),
        "weights_sha256": identity,
        "upper_loss": str(found.upper_loss),
        "near": str(found.near),
    }
    replace_file(path, save(tensors, facts))


def load_kv_map(path: Path, shape: Architecture, identity: str = "") -> KvMap:
    """Return the map of a file; raise `EngineError` in one line when it is not this model's."""
    facts, tensors = read_file(path)
    depth, near, upper_loss = int(facts["depth"]), int(facts["near"]), float(facts["upper_loss"])
    if facts["layers"] != str(shape.layers) or not 0 < depth < shape.layers:
        raise EngineError(f"{path} is for depth {depth} of {facts['layers']} layers, this model has {shape.layers}")
    if identity and facts.get("weights_sha256", "") not in ("", identity):
        raise EngineError(f"{path} was fitted to other weights than this model's; fit it again or fetch its model")
    wanted = [(shape.layers - depth) * 2 * shape.kv_heads * shape.head_size, shape.hidden_size]
    for name, sizes in (("weight", wanted), ("bias", wanted[:1])):
        if name not in tensors:
            raise EngineError(f"{path} has no tensor {name!r}; fit it again")
        check_tensor(tensors[name], name, path, *sizes)
    if near < 0 or not 0 <= upper_loss <= 1:
        raise EngineError(f"{path} keeps {near} rows and may lose {upper_loss}, wanted 0 rows or more and a share")
    return KvMap(depth, Linear(tensors["weight"], tensors["bias"]), near, upper_loss)


def facts_of(path: Path) -> tuple[int, float]:
    """Return a file's depth, and what its map may cost; raise `EngineError` in one line when it is none."""
    facts = read_file(path)[0]
    return int(facts["depth"]), float(facts["upper_loss"])


def read_file(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return what a file says of itself, and its tensors in float32."""
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            facts = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if facts.get("format") == FORMAT:
            int(facts["depth"]), float(facts["upper_loss"]), int(facts["near"]), facts["layers"]
            if "codes" in tensors:
                tensors["weight"] = from_codes(*(tensors.pop(name) for name in ("codes", "scales", "minima")))
            tensors = converted(tensors, path)
    except EngineError:
        raise
    except Exception as error:  # safetensors raises its own, undocumented types
        raise EngineError(f"{path} is not a readable map of keys and values: {error!r}") from error
    if facts.get("format") != FORMAT:
        raise EngineError(f"{path} has format {facts.get('format')!r}, this greencode reads {FORMAT!r}; fit it again")
    return facts, tensors


def far_rows(waiting: int, near: int) -> int:
    """Return how many of the first rows that wait may be filled: whole blocks, all but the near ones."""
    far = (waiting - near) // BLOCK_ROWS * BLOCK_ROWS
    return far if far >= FEWEST_ROWS else 0
