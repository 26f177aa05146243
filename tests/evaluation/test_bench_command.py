"""`greencode bench` as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.test_commands import greencode, json_of

ROW = {
    "engine",
    "profile",
    "detail",
    "tokens_per_s",
    "ms_per_token",
    "prefill_tokens_per_s",
    "joules_per_token",
    "total_ms",
    "joules",
    "source",
    "same_tokens",
    "ratios",
}


def test_decode_prints_the_agreed_json(default_bundle_folder: Path, tmp_path: Path) -> None:
    arguments = ("bench", "decode", "--tokens", "3", "--prompt-tokens", "16", "--rounds", "1", "--profile", "full")
    result = json_of(greencode(*arguments, "--profile", "exact", "--json", data=tmp_path))
    assert [row["profile"] for row in result["rows"]] == ["full", "exact"]
    assert all(set(row) == ROW for row in result["rows"])
    machine = result["machine"]
    assert machine["threads"] >= 1
    assert machine["processor"] and machine["date"]
    assert set(machine["versions"]) == {"greencode", "python", "torch", "transformers", "llama-cpp-python"}


def test_an_unknown_peer_is_one_line(default_bundle_folder: Path, tmp_path: Path) -> None:
    result = greencode("bench", "decode", "--peer", "gpt", data=tmp_path)
    assert result.returncode == 1
    assert "there are: hf, layerskip, llama.cpp" in result.stderr
    assert "Traceback" not in result.stderr


def test_neither_the_server_nor_the_command_line_imports_the_benchmarks() -> None:
    code = (
        "import json, sys, greencode_lsp.server.app, greencode_lsp.completion.completer, greencode_lsp.cli;"
        "print(json.dumps([name for name in sys.modules if 'evaluation' in name or name == 'transformers']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []


def test_a_debounce_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    result = greencode("bench", "keystrokes", "--debounce", "soon", data=tmp_path)
    assert result.returncode == 1
    assert "0 to 5000 milliseconds, or auto, not 'soon'" in result.stderr
    assert "Traceback" not in result.stderr
