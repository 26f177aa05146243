"""Which weights a file was made for: a fingerprint that survives re-sharding and costs milliseconds."""

import hashlib
from pathlib import Path
from typing import Any

from safetensors import safe_open

from greencode_lsp.engine.errors import EngineError
from greencode_lsp.reading import MOST_HASHED_BYTES, UnreadableFileError, check_regular, read_bytes

SAMPLE = 64

NOT_WEIGHTS = tuple(f"{name}.safetensors" for name in ("exits", "adapters", "policy", "kv_map-*", "ngrams", "drafter"))
"""What may lie beside a plain folder's weights and is trained for them."""


def weights_identity(folder: Path) -> str:
    """Return a sha256 over every tensor's name, type, shape and first numbers in a Hugging Face style folder.

    Any training changes nearly every number of a matrix, so the first ones tell models apart without reading them all.
    """
    described: list[tuple[str, str, list[int], bytes]] = []
    for path in sorted(folder.glob("*.safetensors")):
        if any(path.match(name) for name in NOT_WEIGHTS):
            continue
        try:
            check_regular(path)
            with safe_open(path, framework="pt") as file:
                described.extend(_describe(file, name) for name in file.keys())  # noqa: SIM118
        except Exception as error:  # safetensors raises its own, undocumented types
            raise EngineError(f"{path} is not a readable safetensors file: {error}") from error
    digest = hashlib.sha256()
    for name, dtype, shape, sample in sorted(described):
        digest.update(f"{name} {dtype} {shape} ".encode() + sample)
    return digest.hexdigest()


def exits_identity(path: Path) -> str:
    """Return a sha256 over a file of exits and the adapters beside it, where there are some; empty without exits.

    Raises `EngineError` in one line.
    """
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    for one in (path, path.with_name("adapters.safetensors")):
        if one.is_file():
            digest.update(_content(one))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, MOST_HASHED_BYTES)
    except (OSError, UnreadableFileError) as error:
        raise EngineError(f"{path} cannot be read: {error}; fetch it again") from error


def _describe(file: Any, name: str) -> tuple[str, str, list[int], bytes]:
    piece = file.get_slice(name)
    shape = list(piece.get_shape())
    of_matrix = len(shape) == 2 and shape[0]
    first = piece[0, :SAMPLE] if of_matrix else file.get_tensor(name).flatten()[:SAMPLE]
    return name, str(piece.get_dtype()), shape, first.float().numpy().tobytes()
