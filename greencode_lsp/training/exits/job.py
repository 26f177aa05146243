"""What one training of exits is to do."""

from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.material import Material


@dataclass(frozen=True)
class Job:
    """What to train, from which corpus, into which folder, on which device."""

    material: Material
    corpus: Path
    out: Path
    recipe: Recipe
    device: str
