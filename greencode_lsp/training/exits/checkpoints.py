"""A training's state on disk: replaced in one step, so that a killed run or a full disk leaves the last one whole."""

import os
from pathlib import Path
from typing import Any

import torch

from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.traces.shards import disk_errors

LAST, BEST = "last.pt", "best.pt"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; raise `TrainingError` when the disk refuses, with the old one still there."""
    aside = path.with_name(f".{path.name}")
    with disk_errors(path.parent):
        try:
            with aside.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException as error:
            aside.unlink(missing_ok=True)
            cause = error.__cause__ or error.__context__
            # torch's writer hides what the disk said behind an error of its own.
            if isinstance(error, RuntimeError) and isinstance(cause, OSError):
                raise cause from error
            raise


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return a checkpoint, None where there is none; raise `TrainingError` when it is broken. Runs no pickled code."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:  # torch raises what its readers raise
        raise TrainingError(f"{path} cannot be read: {error}; remove it to begin again") from error
    return dict(state)
