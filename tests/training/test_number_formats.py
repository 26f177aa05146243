"""A model beside itself in another number format."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from greencode_lsp.engine import load_backbone
from greencode_lsp.training.number_formats import compare_formats
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Window
from tests.cli.test_commands import greencode
from tests.training.tiny import random_text

pytestmark = pytest.mark.usefixtures("one_thread")


def test_what_is_right_is_counted_for_both_and_what_is_the_same(model_folders: Callable[[str], Path]) -> None:
    folder = model_folders("llama")
    ids = random_text(np.random.default_rng(4), 60)
    blunt = load_backbone(folder)
    for layer in blunt.weights.layers:
        layer.mlp_out.weight.zero_()
    found = compare_formats(load_backbone(folder), blunt, [Window(0, 0, 0, ids)], (), silent)
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.from_numpy(ids)[None]).logits
    right = (logits[0, :-1].argmax(dim=-1) == torch.from_numpy(ids[1:])).float().mean()
    assert found.tokens == 59
    assert found.right == pytest.approx(float(right))
    assert found.right_plain < found.right
    assert found.points_lost < 0
    assert 0 < found.agreement < 1


def test_the_command_compares_with_bfloat16(
    model_folders: Callable[[str], Path], corpus_folder: Path, tmp_path: Path
) -> None:
    arguments = ("train", "formats", str(corpus_folder), "--model", str(model_folders("llama")))
    result = greencode(*arguments, "--max-tokens", "600", "--context", "64", "--json", data=tmp_path)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert 500 < found["tokens"] < 600
    assert found["agreement"] > 0.95
    assert abs(found["right"] - found["right_plain"]) < 0.03
