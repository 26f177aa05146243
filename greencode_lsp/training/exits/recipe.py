"""A recipe: everything a training of exits depends on besides the model and the corpus, as a TOML file."""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.losses import geometric_weights, uniform_weights

FOLDER = Path(__file__).resolve().parents[1] / "recipes"

CHOICES = {
    "mode": ("frozen", "low-rank", "full", "scales"),
    "weights": ("geometric", "uniform"),
    "schedule": ("linear", "constant"),
}

KINDS = {int: "must be a whole number", float: "must be a number", bool: "must be true or false", str: "must be a text"}


@dataclass(frozen=True)
class Recipe:
    """How exits are trained.

    mode: `frozen` trains heads alone, `low-rank` adapters on every linear map with them, `full` the layers themselves,
    whose change is kept at `rank`, `scales` what the 4 bits of a layer's weights count, and its norms. four_bits:
    matrices of layers learn on the grid that the fast CPU kernel computes with; others it runs in 8 bits, which takes
    longer (not for `frozen`). frozen_layers: so many, the first, stay as they are where others learn; on a CPU the fast
    kernel runs them. width: of the translators; 0 leaves an exit its norm alone. weights: of the exits' losses, as the
    paper's. full_depth_share: of full depth's loss beside them; 0 leaves it what `weights` gives it.
    exits_learning_rate: of exits beside layers that learn; 0 takes learning_rate. true_share: how much of the loss is
    the token that came; the rest is full depth's (or the original model's) distribution. tokens: of the corpus, before
    epochs; windows_per_file: so many stretches of `context` tokens of each file. drawn: tokens drawn for the softmax
    besides the likely ones; 0 takes the whole vocabulary. shortlist: so many tokens, the most frequent, are all that
    exits choose among, and there is an exit at full depth that does the same; 0 leaves them the whole head.
    checkpoints: how often the run is saved and scored.
    """

    description: str
    layers: int
    exits: tuple[int, ...]
    mode: str
    learning_rate: float
    tokens: int
    exits_learning_rate: float = 0.0
    width: int = 0
    rank: int = 16
    four_bits: bool = False
    frozen_layers: int = 0
    weights: str = "uniform"
    full_depth_share: float = 0.0
    true_share: float = 0.1
    schedule: str = "linear"
    warmup_steps: int = 40
    weight_decay: float = 0.0
    batch_tokens: int = 4096
    micro_batch_tokens: int = 1024
    context: int = 1024
    windows_per_file: int = 2
    epochs: int = 1
    drawn: int = 1024
    shortlist: int = 0
    gradient_checkpointing: bool = False
    validation_tokens: int = 16_384
    checkpoints: int = 20
    seed: int = 0

    def loss_weights(self) -> dict[int, float]:
        """Return the weight of each exit's loss, and of full depth's, by depth."""
        scheme = geometric_weights if self.weights == "geometric" else uniform_weights
        weights = scheme(self.exits, self.layers)
        if not self.full_depth_share:
            return weights
        left = (1 - self.full_depth_share) / (1 - weights[self.layers])
        return {**{depth: weight * left for depth, weight in weights.items()}, self.layers: self.full_depth_share}

    def check(self, shape: Architecture) -> None:
        """Raise `TrainingError` unless the recipe fits a model."""
        if self.layers != shape.layers:
            raise TrainingError(f"the recipe is for {self.layers} layers, this model has {shape.layers}")
        check_exits(self.exits, shape.layers - 1)
        if self.four_bits and self.mode == "frozen":
            raise TrainingError("four_bits is for layers that learn; with mode frozen they stay as they are")
        if not self.full_depth_share < 1:
            raise TrainingError(f"full_depth_share {self.full_depth_share} must be below 1: exits need a share, too")
        if not 0 <= self.frozen_layers < shape.layers:
            raise TrainingError(f"frozen_layers {self.frozen_layers} must lie between 0 and {shape.layers - 1}")
        if not 2 <= self.context <= shape.context_length:
            raise TrainingError(f"context {self.context} must lie between 2 and the model's {shape.context_length}")


def check_exits(exits: tuple[int, ...], deepest: int) -> None:
    """Raise `TrainingError` unless exits rise strictly, up to the deepest layer that may have one."""
    if not exits or list(exits) != sorted(set(exits)) or not 1 <= exits[0] <= exits[-1] <= deepest:
        raise TrainingError(f"exits {list(exits)} must rise strictly and lie between 1 and {deepest}")


def recipe_names() -> list[str]:
    """Return the names of the recipes that ship with greencode."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe by its name or from a file; raise `TrainingError` in one line that names the field."""
    path = FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        path = Path(name_or_path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        known = ", ".join(recipe_names())
        raise TrainingError(f"no recipe {name_or_path!r}: use one of {known}, or the path of a TOML file") from error
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is not readable TOML: {error}") from error
    return parse_recipe(values, str(path))


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Check the fields of a recipe; raise `TrainingError` naming the first that is wrong."""
    known = {field.name: field for field in fields(Recipe)}
    for name, value in values.items():
        if name not in known:
            raise TrainingError(f"{where}: unknown field {name!r}; there are: {', '.join(known)}")
        if problem := wrong(name, value):
            raise TrainingError(f"{where}: {name}: {problem}, not {value!r}")
    try:
        return Recipe(**{**values, "exits": tuple(values.get("exits", ()))})
    except TypeError as error:
        raise TrainingError(f"{where}: a field is missing: {error}") from error


def wrong(name: str, value: Any) -> str:
    """Say what a field must be, nothing when it is."""
    if name in CHOICES:
        return "" if value in CHOICES[name] else f"must be one of {', '.join(CHOICES[name])}"
    if name == "exits":
        whole = isinstance(value, list) and all(type(one) is int for one in value)
        return "" if whole else "must be a list of whole numbers"
    kind = get_type_hints(Recipe)[name]
    if kind is float and type(value) is int:
        kind = int
    if type(value) is not kind:
        return KINDS[kind]
    return "must not be negative" if kind in (int, float) and value < 0 else ""


def changed(recipe: Recipe, **changes: Any) -> Recipe:
    """Return a recipe with those fields replaced that are not None."""
    given = {name: value for name, value in changes.items() if value is not None}
    return parse_recipe({**jsonable(recipe), **given}, "the command line")


def jsonable(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as TOML and JSON hold it."""
    return {**asdict(recipe), "exits": list(recipe.exits)}
