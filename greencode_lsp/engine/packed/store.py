"""Packed weights on disk, so that a model is packed once."""

import hashlib
import json
import logging
import os
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, LearnedPositions, Norm, RotaryTable
from greencode_lsp.engine.packed.packing import PackedWeight
from greencode_lsp.engine.packed.weights import PackedLayer, PackedLinear, PackedWeights
from greencode_lsp.reading import check_regular, parse_json

log = logging.getLogger(__name__)

FORMAT = 2

MAPS = ("qkv", "attention_out", "mlp_in", "mlp_out")

NORMS = ("attention_norm", "mlp_norm")


class PackedStore:
    """One safetensors file for one state of a model folder and its adapters.

    A missing, stale or broken file is simply made anew.
    """

    def __init__(self, store: Path, folder: Path, adapters: Path | None = None) -> None:
        files = sorted([*folder.glob("*.safetensors"), folder / "config.json"])
        files += [] if adapters is None else [adapters]
        state = [(str(file.resolve()), stat.st_size, stat.st_mtime_ns) for file in files for stat in [file.stat()]]
        key = hashlib.sha256(json.dumps([FORMAT, state]).encode()).hexdigest()[:16]
        self.path = store / f"packed-{key}.safetensors"

    def load(self) -> tuple[Architecture, PackedWeights] | None:
        """Return what was saved, None where there is nothing usable."""
        try:
            check_regular(self.path)
            with safe_open(self.path, framework="pt") as file:
                facts = parse_json(file.metadata()["greencode"])
                # Copies: memory that torch allocates is aligned as the kernel likes it, a mapped file is not.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            return unflatten(facts, tensors)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            log.warning("%s cannot be used and is made anew: %s", self.path, error)
            return None

    def save(self, shape: Architecture, weights: PackedWeights) -> None:
        """Keep packed weights; where that is impossible, they are packed again next time."""
        facts, tensors = flatten(shape, weights)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            try:
                save_file(tensors, aside, metadata={"greencode": json.dumps(facts)})
                aside.replace(self.path)
            finally:
                aside.unlink(missing_ok=True)
        except (SafetensorError, OSError) as error:
            log.warning("packed weights cannot be kept in %s: %s", self.path.parent, error)


def flatten(shape: Architecture, weights: PackedWeights) -> tuple[dict[str, object], dict[str, Tensor]]:
    """Return everything as facts for JSON and named tensors."""
    tensors: dict[str, Tensor | None] = {"embedding": weights.embedding}
    bits: dict[str, list[int]] = {}

    def add_map(name: str, plain: PackedLinear) -> None:
        weight = plain.weight
        bits[name] = [weight.bits, weight.outputs, weight.inputs]
        tensors.update({f"{name}.codes": weight.codes, f"{name}.scales": weight.scales, f"{name}.bias": plain.bias})

    def add_norm(name: str, norm: Norm) -> None:
        tensors.update({f"{name}.weight": norm.weight, f"{name}.bias": norm.bias})

    for index, layer in enumerate(weights.layers):
        for name in MAPS:
            add_map(f"{index}.{name}", getattr(layer, name))
        for name in NORMS:
            add_norm(f"{index}.{name}", getattr(layer, name))
    add_map("head", weights.head)
    if weights.screen is not None:
        add_map("screen", weights.screen)
    add_norm("final_norm", weights.final_norm)
    positions = weights.positions
    if isinstance(positions, RotaryTable):
        tensors.update({"cos": positions.cos, "sin": positions.sin})
    else:
        tensors["positions"] = positions.table
    facts = {
        "shape": asdict(shape),
        "maps": bits,
        "offset": positions.offset if isinstance(positions, LearnedPositions) else 0,
    }
    return facts, {name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}


def unflatten(facts: dict[str, object], tensors: dict[str, Tensor]) -> tuple[Architecture, PackedWeights]:
    """Undo `flatten`; raise `KeyError`, `TypeError` or `ValueError` where something is missing."""
    described, maps, offset = facts["shape"], facts["maps"], facts["offset"]
    if not isinstance(described, dict) or not isinstance(maps, dict) or not isinstance(offset, int):
        raise TypeError("the facts are not those of packed weights")
    described["end_of_text"] = tuple(described["end_of_text"])
    shape = Architecture(**described)

    def linear(name: str) -> PackedLinear:
        bits, outputs, inputs = maps[name]
        weight = PackedWeight(bits, outputs, inputs, tensors[f"{name}.codes"], tensors[f"{name}.scales"])
        return PackedLinear(weight, tensors.get(f"{name}.bias"))

    def norm(name: str) -> Norm:
        return Norm(tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))

    return shape, PackedWeights(
        embedding=tensors.get("embedding"),
        positions=(
            RotaryTable(tensors["cos"], tensors["sin"])
            if "cos" in tensors
            else LearnedPositions(tensors["positions"], offset)
        ),
        layers=tuple(
            PackedLayer(
                attention_norm=norm(f"{index}.attention_norm"),
                qkv=linear(f"{index}.qkv"),
                attention_out=linear(f"{index}.attention_out"),
                mlp_norm=norm(f"{index}.mlp_norm"),
                mlp_in=linear(f"{index}.mlp_in"),
                mlp_out=linear(f"{index}.mlp_out"),
            )
            for index in range(shape.layers)
        ),
        final_norm=norm("final_norm"),
        head=linear("head"),
        screen=linear("screen") if "screen" in maps else None,
    )
