"""Changed tensors in what lies beside weights: exits, KV projections, draft heads, adapters, n-grams, policies.

Each is refused in one line that names the file. Exceptions are sizes that are free: how many tokens a shortlist has.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from greencode_lsp.engine.adapters import ADAPTERS_FILE, adapters_metadata, load_adapters, merge_adapters
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE, load_drafter, save_drafter
from greencode_lsp.engine.drafts.ngrams import NGRAMS_FILE, load_ngrams, save_ngrams
from greencode_lsp.engine.exits import EXITS_FILE, SHORTLIST, load_exits
from greencode_lsp.engine.kv_map import KvMap, kv_map_file, load_kv_map, save_kv_map
from greencode_lsp.errors import UserError
from greencode_lsp.policy.learned import load_network
from tests.engine.conftest import VOCABULARY, Twins, make_twins, random_llama, random_opt, save_exits
from tests.engine.test_adapters import random_adapters
from tests.engine.test_drafter import random_network
from tests.engine.test_exits import random_heads
from tests.engine.test_ngrams import small
from tests.engine.test_validation import CHANGES
from tests.policy.files import HIDDEN, random_tensors, write_policy_file
from tests.policy.test_learned import EXITS

pytestmark = pytest.mark.usefixtures("one_thread")

Part = tuple[Path, Callable[[], object]]
"""A file, and what loads it."""

FREE = {SHORTLIST: {"a row less", "one row", "a column less"}}
"""Changes that leave another part, and no wrong one."""


@pytest.fixture(scope="module", params=[random_llama, random_opt], ids=["llama", "opt"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return make_twins(request.param, tmp_path_factory.mktemp("model"))


def exits(model: Twins, folder: Path) -> Part:
    path, shape = folder / EXITS_FILE, model.backbone.shape
    save_exits(path, random_heads(shape), shape)
    return path, lambda: load_exits(path, shape)


def kv_projection(model: Twins, folder: Path) -> Part:
    path, shape = folder / kv_map_file(4), model.backbone.shape
    outputs = 2 * (shape.layers - 4) * shape.kv_size
    linear = Linear(torch.randn(outputs, shape.hidden_size), torch.randn(outputs))
    save_kv_map(path, KvMap(4, linear, 48), shape, "")
    return path, lambda: load_kv_map(path, shape)


def draft_head(model: Twins, folder: Path) -> Part:
    path, shape = folder / DRAFTER_FILE, model.backbone.shape
    save_drafter(path, random_network(shape), "")
    return path, lambda: load_drafter(path, shape)


def changes_of_layers(model: Twins, folder: Path) -> Part:
    path, shape = folder / ADAPTERS_FILE, model.backbone.shape
    save_file(random_adapters(model), path, metadata=adapters_metadata(shape, ""))
    return path, lambda: merge_adapters(model.backbone.weights, load_adapters(path, shape))


def table_of_ngrams(model: Twins, folder: Path) -> Part:
    path = folder / NGRAMS_FILE
    save_ngrams(path, small())
    return path, lambda: load_ngrams(path, VOCABULARY)


def policy(model: Twins, folder: Path) -> Part:
    path = write_policy_file(folder, EXITS, random_tensors(3, confirms=True), format="2")
    return path, lambda: load_network(path, EXITS, HIDDEN)


@pytest.mark.parametrize("make", [exits, kv_projection, draft_head, changes_of_layers, table_of_ngrams, policy])
def test_every_changed_tensor_is_refused_in_one_line(
    model: Twins, tmp_path: Path, make: Callable[[Twins, Path], Part]
) -> None:
    path, load = make(model, tmp_path)
    load()
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    for name, tensor in tensors.items():
        for change, changed in changes_of(tensor).items():
            if change in FREE.get(name, ()) or (name == "policy.grid" and change != "NaN"):
                continue
            save_file({**tensors, name: changed.contiguous()}, path, metadata=facts)
            refused_in_one_line(load, f"{name}: {change}")
        save_file({other: kept for other, kept in tensors.items() if other != name}, path, metadata=facts)
        if not name.endswith((SHORTLIST, "norm.weight.change")) and name not in may_be_missing(tensors):
            refused_in_one_line(load, f"{name} missing")


def changes_of(tensor: Tensor) -> dict[str, Tensor]:
    """Return a tensor after each change that makes a difference for its type and size."""
    found: dict[str, Tensor] = {}
    for name, change in CHANGES.items():
        if name in ("NaN", "infinite", "whole numbers") and not tensor.is_floating_point():
            continue
        try:
            changed = change(tensor)
        except RuntimeError:  # an only row cannot be repeated along its columns, say
            continue
        if changed.dtype != tensor.dtype or changed.shape != tensor.shape or name in ("NaN", "infinite"):
            found[name] = changed
    if not tensor.is_floating_point():
        found["fractions"] = tensor.float()
    return found


def may_be_missing(tensors: dict[str, Tensor]) -> set[str]:
    """Return the tensors whose absence is no mistake: biases, and changes that stand alone."""
    return {name for name in tensors if name.endswith(".bias") and "norm" not in name} | {
        name for name in tensors if name.startswith("layer.") and name.endswith(".weight")
    }


def refused_in_one_line(load: Callable[[], Any], what: str) -> None:
    try:
        load()
    except UserError as error:
        assert "\n" not in str(error), what
        return
    pytest.fail(f"accepted: {what}")
