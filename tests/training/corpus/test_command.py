"""`greencode train corpus` as a person runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greencode_lsp.training.corpus import Corpus
from tests.cli.test_commands import greencode, json_of
from tests.training.corpus.packages import module, pinned, write_list, write_tokenizer, write_wheel


@pytest.fixture
def model(tmp_path: Path, index: Path) -> Path:
    """Return a model folder of which only the tokenizer is ever read."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "num_hidden_layers": 2}', encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    write_tokenizer(folder / "tokenizer.json")
    write_wheel(index, "alpha", {"alpha.py": module("alpha")})
    return folder


def train_corpus(tmp_path: Path, model: Path, *more: str) -> subprocess.CompletedProcess[str]:
    listed = write_list(tmp_path / "mine.toml", [pinned("alpha"), pinned("missing", split="heldout")])
    arguments = (str(tmp_path / "corpus"), "--packages", str(listed), "--model", str(model), *more)
    return greencode("train", "corpus", *arguments, data=tmp_path)


def test_a_corpus_is_made_and_what_is_missing_makes_the_run_fail(tmp_path: Path, model: Path) -> None:
    result = train_corpus(tmp_path, model)
    assert result.returncode == 1
    assert "missing 1.0: pip: No matching distribution found for missing==1.0" in result.stderr
    assert "packages missing: 1; run the same command again for them or add --keep-going" in result.stderr
    assert "Traceback" not in result.stderr
    assert Corpus.open(tmp_path / "corpus").tokens("train") == len(module("alpha").encode())


def test_keep_going_is_content_with_what_there_is(tmp_path: Path, model: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"input": "a = b", "gt": "c"}) + "\n", encoding="utf-8")
    found = json_of(train_corpus(tmp_path, model, "--keep-going", "--json", "--decontaminate", str(rows)))
    assert found["tokens"] == {"train": len(module("alpha").encode()), "calibration": 0, "heldout": 0}
    assert [failed["name"] for failed in found["failed"]] == ["missing"]
    assert found["evaluation_sets"][0]["rows"] == 1
    shown = train_corpus(tmp_path, model, "--keep-going")
    assert shown.returncode == 0
    assert "the corpus is in" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--packages", "none.toml"), 1, "none.toml: cannot be read"),
        (("--decontaminate", "none.jsonl"), 1, "none.jsonl: cannot be read as rows"),
        (("--model", "none"), 1, "no model 'none'"),
        (("--max-tokens", "0"), 2, "max-tokens"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, arguments: tuple[str, ...], status: int, says: str) -> None:
    result = greencode("train", "corpus", str(tmp_path / "corpus"), *arguments, data=tmp_path)
    assert result.returncode == status
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_the_command_line_starts_without_the_libraries_of_training() -> None:
    code = "import sys, greencode_lsp.cli.main; print([name for name in sys.modules if 'corpus' in name])"
    environment = {**os.environ, "PYTHONPATH": ""}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.strip() == "[]"
