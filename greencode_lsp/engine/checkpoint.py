"""Reading a Hugging Face style folder: `config.json` and safetensors files. Never a pickle."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.validation import check_dtype
from greencode_lsp.reading import check_regular, read_json

OF_A_LAYER = re.compile(r"(?:^|\.)(?:layers|h)\.\d+\.")

BUFFERS = re.compile(r"\.(?:inv_freq|masked_bias|(?:attn|attention)\.bias)$")
"""What old checkpoints keep beside weights: tables of rotations and masks, which follow from `config.json`."""


class Checkpoint(Mapping[str, Tensor]):
    """The named tensors of a folder, read from disk when asked for and converted to one dtype and device."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.folder, self.device, self.dtype = folder, device, dtype
        self.config = read_config(folder)
        paths = sorted(folder.glob("*.safetensors"))
        if not paths:
            raise EngineError(f"{folder} holds no *.safetensors file; greencode never loads pickled weights")
        self._files: dict[str, Any] = {}
        self._paths: dict[str, Path] = {}
        self._read: set[str] = set()
        for path in paths:
            try:
                check_regular(path)
                handle: Any = safe_open(path, framework="pt")
            except Exception as error:  # safetensors raises its own, undocumented types
                raise EngineError(f"{path} is not a readable safetensors file: {error}") from error
            self._files.update(dict.fromkeys(handle.keys(), handle))
            self._paths.update(dict.fromkeys(handle.keys(), path))

    def __getitem__(self, name: str) -> Tensor:
        """Return the tensor of that name; raise `EngineError` when the folder has none, or not of numbers."""
        if name not in self._files:
            raise EngineError(f"{self.folder} has no tensor {name!r}; is it a complete model of its family?")
        try:
            tensor: Tensor = self._files[name].get_tensor(name)
        except Exception as error:  # a type that safetensors knows and torch does not, or a file that shrank
            raise EngineError(f"{self._paths[name]}: tensor {name!r} cannot be read: {error}") from error
        self._read.add(name)
        check_dtype(tensor, name, self._paths[name])
        return tensor.to(device=self.device, dtype=self.dtype)

    def source_of(self, name: str) -> Path:
        """Return the file that a tensor is read from."""
        return self._paths[name]

    def check_all_read(self) -> None:
        """Raise `EngineError` where a file of the model holds a tensor of a layer that nobody has asked for.

        Then the model is another one than its configuration says, with more layers or with biases, and its text would
        be wrong. Files that nothing was read from may lie beside the model.
        """
        model_files = {self._paths[name] for name in self._read}
        for name in sorted(self._files.keys() - self._read):
            if self._paths[name] in model_files and OF_A_LAYER.search(name) and not BUFFERS.search(name):
                raise EngineError(
                    f"{self._paths[name]}: tensor {name!r} has no place in the model that config.json describes, "
                    "wanted only tensors of its layers"
                )

    def __contains__(self, name: object) -> bool:
        """Say whether the folder holds a tensor of that name, without reading it."""
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._files)

    def __len__(self) -> int:
        """Count the tensors."""
        return len(self._files)


def read_config(folder: Path) -> dict[str, Any]:
    """Return `config.json` of a model folder; raise `EngineError` naming the file when it cannot be used."""
    path = folder / "config.json"
    try:
        config = read_json(path)
    except FileNotFoundError as error:
        raise EngineError(f"{path} does not exist; a model folder needs config.json beside its weights") from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise EngineError(f"{path} must hold a JSON object")
    return config
