"""Packed weights on disk, so that a model is packed once."""

import hashlib
import json
import logging
import os
import re
import shutil
import time
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, LearnedPositions, Norm, RotaryTable
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.packed.checking import check_weights
from greencode_lsp.engine.packed.packing import PackedWeight
from greencode_lsp.engine.packed.weights import PackedLayer, PackedLinear, PackedWeights
from greencode_lsp.reading import check_regular, parse_json

log = logging.getLogger(__name__)

FORMAT = 3

PREFIX, SUFFIX = "packed-", ".safetensors"

NAME = re.compile(r"packed-[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]{8}\.safetensors")
"""Source, state, and checksum. Other names are those of earlier versions."""

DAMAGED = "damaged.safetensors"

PIECE_BYTES = 1 << 20

UNUSED_SECONDS = 30 * 24 * 3600.0

LEFT_OVER_SECONDS = 3600.0
"""A file that is still being written after so long is what a killed process has left."""

MAPS = ("qkv", "attention_out", "mlp_in", "mlp_out")

NORMS = ("attention_norm", "mlp_norm")


class PackedStore:
    """One safetensors file for one model folder and its adapters, as they are now.

    The file's name says which folder it is from, in which state, and the checksum of all its bytes: a file that rotted,
    was cut or edited is moved aside and made anew. What is left of earlier states goes when a new one is kept.
    """

    def __init__(self, store: Path, folder: Path, adapters: Path | None = None) -> None:
        files = sorted([*folder.glob("*.safetensors"), folder / "config.json"])
        files += [] if adapters is None else [adapters]
        state = [(str(file.resolve()), stat.st_size, stat.st_mtime_ns) for file in files for stat in [file.stat()]]
        source = [str(folder.resolve()), None if adapters is None else str(adapters.resolve())]
        self._store, self._source, self.key = store, digest(source), f"{digest(source)}-{digest([FORMAT, state])}"

    @property
    def path(self) -> Path | None:
        """The file that holds the packed weights, None where there is none."""
        return next(iter(sorted(self._store.glob(f"{PREFIX}{self.key}-*{SUFFIX}"))), None)

    def load(self) -> tuple[Architecture, PackedWeights] | None:
        """Return what was saved, None where there is nothing usable."""
        path = self.path
        if path is None:
            return None
        try:
            check_regular(path)
            if is_damaged(path):
                raise ValueError("its bytes are not those that were written")
            with safe_open(path, framework="pt") as file:
                facts = parse_json(file.metadata()["greencode"])
                # Copies: memory that torch allocates is aligned as the kernel likes it, a mapped file is not.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            shape, weights = unflatten(facts, tensors)
            check_weights(weights, shape)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, EngineError) as error:
            log.warning("%s is moved aside and made anew: %s", path, error)
            move_aside(path)
            return None
        with suppress(OSError):
            os.utime(path)  # in use: it is not pruned
        return shape, weights

    def save(self, shape: Architecture, weights: PackedWeights) -> None:
        """Keep packed weights; where that is impossible, they are packed again next time."""
        facts, tensors = flatten(shape, weights)
        try:
            self._store.mkdir(parents=True, exist_ok=True)
            aside = self._store / f".{PREFIX}{self.key}.{os.getpid()}"
            try:
                save_file(tensors, aside, metadata={"greencode": json.dumps(facts)})
                path = self._store / f"{PREFIX}{self.key}-{checksum(aside)}{SUFFIX}"
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
        except (SafetensorError, OSError) as error:
            log.warning("packed weights cannot be kept in %s: %s", self._store, error)
            return
        prune(self._store, path, f"{PREFIX}{self._source}-")


def digest(value: object) -> str:
    """Return a short name for a value."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def checksum(path: Path) -> str:
    """Return the CRC-32 of a file: 2 GB a second, which a start does not notice."""
    with path.open("rb") as file:
        found = 0
        while piece := file.read(PIECE_BYTES):
            found = zlib.crc32(piece, found)
    return f"{found:08x}"


def is_damaged(path: Path) -> bool:
    """Say whether a file holds other bytes than its name says; raise OSError where it cannot be read."""
    return checksum(path) != path.stem.rpartition("-")[2]


def verify_packed(store: Path) -> tuple[int, list[Path]]:
    """Look at every byte of all packed weights; return how many files are sound, and those that were moved aside."""
    sound, damaged = 0, []
    for path in sorted(store.glob(f"{PREFIX}*{SUFFIX}")):
        try:
            found = is_damaged(path)
        except FileNotFoundError:  # another process has just pruned it
            continue
        except OSError:
            found = True
        if found:
            damaged.append(path)
            move_aside(path)
        else:
            sound += 1
    return sound, damaged


def move_aside(path: Path) -> None:
    """Keep a damaged file for whoever wants to look at it: the last one of a store."""
    aside = path.with_name(DAMAGED)
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.replace(aside)
    except OSError as error:
        log.warning("%s cannot be moved aside: %s", path, error)


def prune(store: Path, kept: Path, same_source: str) -> None:
    """Remove packed weights of other states of one source, of earlier formats, and what was not used for long."""
    now = time.time()
    for path in [*store.glob(f"{PREFIX}*{SUFFIX}"), *store.glob(f".{PREFIX}*")]:
        try:
            age = now - path.stat().st_mtime
            if path.name.startswith("."):
                superfluous = age > LEFT_OVER_SECONDS
            else:
                other_state = path.name.startswith(same_source) or not NAME.fullmatch(path.name)
                superfluous = path != kept and (other_state or age > UNUSED_SECONDS)
            if superfluous:
                path.unlink()
        except OSError as error:  # another process has it open, on Windows, or has just removed it
            log.debug("%s is not pruned: %s", path, error)


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
