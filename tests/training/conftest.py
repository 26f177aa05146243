"""A small trained model with its corpus, and short recipes for it."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from greencode_lsp.training.exits.job import Job
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.material import Material, fetch_material
from greencode_lsp.training.progress import silent
from tests.training.tiny import write_corpus, write_model

RECIPE: dict[str, Any] = {
    "description": "a few seconds",
    "layers": 4,
    "exits": (1, 2, 3),
    "mode": "frozen",
    "width": 24,
    "learning_rate": 1e-2,
    "tokens": 3000,
    "batch_tokens": 128,
    "micro_batch_tokens": 64,
    "context": 64,
    "warmup_steps": 2,
    "checkpoints": 4,
    "drawn": 20,
    "validation_tokens": 400,
}


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run a module's tests on one thread: waking others costs more than models this small have to compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def no_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep packed weights out of the user's cache."""
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a family's model, trained when it is asked for first."""

    @cache
    def folder(family: str) -> Path:
        return write_model(tmp_path_factory.mktemp(family), family)

    return folder


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus")).folder


@pytest.fixture
def material(request: pytest.FixtureRequest, model_folders: Callable[[str], Path]) -> Material:
    """A Llama, or the family that a test names as its parameter."""
    return fetch_material(str(model_folders(getattr(request, "param", "llama"))), silent)


@pytest.fixture
def job(material: Material, corpus_folder: Path, tmp_path: Path) -> Callable[..., Job]:
    """Make jobs in folders of their own, with changes to the recipe."""

    def make(name: str = "out", **changes: Any) -> Job:
        return Job(material, corpus_folder, tmp_path / name, Recipe(**{**RECIPE, **changes}), "cpu")

    return make
