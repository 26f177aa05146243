"""Reading a Hugging Face style folder: `config.json` and safetensors files. Never a pickle."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from greencode_lsp.engine.errors import EngineError
from greencode_lsp.reading import check_regular, read_json


class Checkpoint(Mapping[str, Tensor]):
    """The named tensors of a folder, read from disk when asked for and converted to one dtype and device."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.folder, self.device, self.dtype = folder, device, dtype
        self.config = read_config(folder)
        paths = sorted(folder.glob("*.safetensors"))
        if not paths:
            raise EngineError(f"{folder} holds no *.safetensors file; greencode never loads pickled weights")
        self._files: dict[str, Any] = {}
        for path in paths:
            try:
                check_regular(path)
                handle: Any = safe_open(path, framework="pt")
            except Exception as error:  # safetensors raises its own, undocumented types
                raise EngineError(f"{path} is not a readable safetensors file: {error}") from error
            self._files.update(dict.fromkeys(handle.keys(), handle))

    def __getitem__(self, name: str) -> Tensor:
        """Return the tensor of that name; raise `EngineError` when the folder has none."""
        if name not in self._files:
            raise EngineError(f"{self.folder} has no tensor {name!r}; is it a complete model of its family?")
        tensor: Tensor = self._files[name].get_tensor(name)
        return tensor.to(device=self.device, dtype=self.dtype)

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
