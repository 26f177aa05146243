"""What is mutated: tiny random models of every family, one as a GGUF file, one with all that a bundle may hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from greencode_lsp.engine import load_backbone
from greencode_lsp.engine.architecture import plain_norm
from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE, save_drafter
from greencode_lsp.engine.drafts.ngrams import NGRAMS_FILE, Ngrams, NgramTable, save_ngrams
from greencode_lsp.engine.exits import EXITS_FILE, ExitHead
from greencode_lsp.engine.identity import exits_identity, weights_identity
from greencode_lsp.models.tokenizer_convert import halves
from greencode_lsp.policy.bundle import POLICY_FILE, file_sha256
from greencode_lsp.policy.calibration import CALIBRATION_FILE, Bound, Calibration
from tests.engine.conftest import RANDOM_MODELS, save_exits
from tests.engine.test_drafter import random_network
from tests.engine.test_packed import small_llama, small_opt
from tests.models.tiny import MERGES, random_weights, tokens, write_bundle_toml, write_gguf

FAMILIES: dict[str, Callable[[], Any]] = {**RANDOM_MODELS, "packed_llama": small_llama, "packed_opt": small_opt}
"""The last two have sizes that the compiled kernel computes."""

BUNDLED = "packed_llama"

EXIT = 2

ENTRIES = 300
"""Of the tokenizer: some of the models have more, as released ones do."""


def make_seeds(folder: Path) -> None:
    """Write all seeds into a folder: `models/<family>`, `bundle`, `tiny.gguf`."""
    for name, random_model in FAMILIES.items():
        model = folder / "models" / name
        torch.manual_seed(20)
        random_model().eval().save_pretrained(model)
        (model / "generation_config.json").unlink(missing_ok=True)
        write_tokenizer(model / "tokenizer.json")
    write_gguf(folder / "tiny.gguf", random_weights())
    make_bundle(folder / "bundle", folder / "models" / BUNDLED)


def write_tokenizer(path: Path) -> None:
    """Write a byte-level tokenizer of `ENTRIES` tokens."""
    names = tokens()
    names += [f"<{number}>" for number in range(ENTRIES - len(names))]
    merges = [halves(merge) for merge in MERGES]
    tokenizer = Tokenizer(models.BPE(vocab={name: index for index, name in enumerate(names)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    tokenizer.save(str(path))


def make_bundle(folder: Path, model: Path) -> None:
    """Write a bundle with a copy of a model, an exit, a policy, its calibration, n-grams and a drafter."""
    shutil.copytree(model, folder / "model")
    backbone = load_backbone(model)
    shape, identity = backbone.shape, weights_identity(model)
    write_bundle_toml(
        folder,
        {
            "name": folder.name,
            "layers": shape.layers,
            "exits": [EXIT],
            "source": {"kind": "folder", "path": "model"},
        },
    )
    save_exits(folder / EXITS_FILE, {EXIT: ExitHead(plain_norm(shape))}, shape, identity)
    save_drafter(folder / DRAFTER_FILE, random_network(shape), identity)
    every = np.arange(shape.vocabulary_size)
    likely = np.full(len(every), 200, np.uint8)
    save_ngrams(
        folder / NGRAMS_FILE, NgramTable(shape.vocabulary_size, {1: Ngrams(every, (every * 7) % len(every), likely)})
    )
    write_policy(folder / POLICY_FILE, shape.hidden_size)
    policy, exits = file_sha256(folder / POLICY_FILE), exits_identity(folder / EXITS_FILE)
    bound = Bound(0.01, 0.5, 0.0, 0.01, 2.0, 0.4)
    Calibration(0.95, "calibration", 1000, "project", 20, policy, (bound,), 0.5, exits).write(folder / CALIBRATION_FILE)


def write_policy(path: Path, hidden_size: int) -> None:
    """Write a random policy of one exit, as training writes it."""
    random, width, second = np.random.default_rng(0), 8, 6
    shapes = {
        "in.weight": (1, width, hidden_size),
        "in.bias": (1, width),
        "mid.weight": (1, second, width),
        "mid.bias": (1, second),
        "out.weight": (1, 2, second),
        "out.bias": (1, 2),
        "grid": (2,),
    }
    tensors = {f"policy.{name}": random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["policy.grid"] = np.array([2.0, 0.0], np.float32)
    facts = {
        "format": "1",
        "exits": f"[{EXIT}]",
        "hidden_size": str(hidden_size),
        "kind": "supervised",
        "inputs": "rms",
        "stop_threshold": "inf",
    }
    save_file(tensors, path, facts)
