"""What an attempt runs, in a process of its own. It prints one JSON object, or one line that says what is wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from greencode_lsp.completion import metering
from greencode_lsp.completion.loading import load_completer
from greencode_lsp.completion.suggestion import CompletionRequest, LoadOptions
from greencode_lsp.engine import Request, Session, generate
from greencode_lsp.errors import UserError
from greencode_lsp.models.gguf_convert import convert_gguf

PREFIX = "def mean(values):\n    total = 0\n    for value in values:\n        "

TOKENS = 12

MEASURING_SECONDS = 0.002
"""A mutated model costs something else, and is measured before it says anything: as shortly as that can be."""


def complete(folder: Path) -> dict[str, Any]:
    """Load a model as the server does; return its text at full depth, and with all drafts and exits verified."""
    metering.WINDOW_SECONDS.update(dict.fromkeys(metering.WINDOW_SECONDS, MEASURING_SECONDS))
    completer = load_completer(LoadOptions(str(folder), "cpu"))
    prompt = completer.tokenizer.encode(PREFIX)
    full = generate(Session(completer.model), Request(prompt, TOKENS))
    exact = completer.complete(CompletionRequest("a.py", PREFIX, "", profile="exact", max_tokens=TOKENS))
    vocabulary = completer.model.backbone.shape.vocabulary_size
    ids = [token.id for token in full.tokens]
    assert all(0 <= id < vocabulary for id in ids), f"{ids} of {vocabulary}"
    return {
        "full": ids,
        "text": completer.tokenizer.decode(ids),
        "exact": None if exact is None else [exact.text, [token.text for token in exact.tokens]],
    }


def convert_and_complete(gguf: Path) -> dict[str, Any]:
    """Convert a GGUF file as a pull does, and let the model say something."""
    folder = gguf.with_name("model")
    folder.mkdir()
    convert_gguf(gguf, folder, lambda progress: None)
    return complete(folder)


TARGETS = {"complete": complete, "convert": convert_and_complete}


def run(target: str, path: Path) -> int:
    """Run a target as the command line runs a command: a user's mistake is one line and exit status 1."""
    try:
        print(json.dumps(TARGETS[target](path)))
    except UserError as error:
        print(f"greencode: {error}", file=sys.stderr)
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def set_folders(folder: Path) -> None:
    """Let what runs keep its cache and its ledger in an attempt's folder."""
    os.environ |= {"GREENCODE_CACHE": str(folder / "cache"), "GREENCODE_DATA": str(folder / "data")}
