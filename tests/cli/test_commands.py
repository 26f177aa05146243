"""The commands as a person runs them: real processes, real model."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from greencode_lsp.energy import Entry, Ledger
from tests.evaluation.rows import write_rows
from tests.waiting import HANG_SECONDS

EXAMPLES = Path(__file__).parents[2] / "examples"

JSON_FIELDS = {
    "text",
    "profile",
    "model",
    "tokens",
    "layers",
    "joules",
    "joules_full",
    "source",
    "timings_ms",
    "reused_tokens",
}


def greencode(*arguments: str, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from greencode_lsp.cli import main; main()", *arguments]
    variables = {**os.environ, "GREENCODE_DATA": str(data), **environment}
    variables.pop("COLUMNS", None)
    return subprocess.run(command, capture_output=True, text=True, env=variables, timeout=HANG_SECONDS)


def json_of(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("profile", ["full", "exact"])
def test_complete_prints_exactly_the_agreed_json(profile: str, default_bundle_folder: Path, tmp_path: Path) -> None:
    arguments = ("complete", str(EXAMPLES / "stack.py"), "--at", "27:9", "--max-tokens", "12", "--profile", profile)
    result = json_of(greencode(*arguments, "--json", data=tmp_path))
    assert set(result) == JSON_FIELDS
    assert "".join(token["text"] for token in result["tokens"]) == result["text"] != ""
    assert all(set(token) == {"text", "exit_layer"} for token in result["tokens"])
    assert set(result["timings_ms"]) == {"prefill", "first_token", "total"}
    assert (result["profile"], result["model"], result["layers"]) == (profile, "smollm2-135m", 30)
    assert result["joules"] > 0


def test_complete_shows_text_depths_speed_and_joules(default_bundle_folder: Path, tmp_path: Path) -> None:
    arguments = ("complete", str(EXAMPLES / "Vector.java"), "--at", "18:9", "--max-tokens", "12")
    result = greencode(*arguments, data=tmp_path, FORCE_COLOR="1", TERM="xterm-256color")
    assert result.returncode == 0, result.stderr
    assert "read after layer" in result.stdout
    assert "tokens/s" in result.stdout
    assert " J" in result.stdout
    assert "energy from:" in result.stdout
    assert "\x1b[38;5;" in result.stdout  # colours


def test_energy_shows_what_completions_took(default_bundle_folder: Path, tmp_path: Path) -> None:
    assert "No completions yet" in greencode("energy", data=tmp_path).stdout
    greencode("complete", str(EXAMPLES / "stack.py"), "--max-tokens", "2", data=tmp_path)
    (day,) = json_of(greencode("energy", "--json", data=tmp_path))
    assert day["completions"] == 1
    assert day["watt_hours"] > 0
    assert "CO2e at 56 g/kWh (FRA)" in greencode("energy", "--grid", "FRA", data=tmp_path).stdout
    lines = greencode("energy", "--csv", data=tmp_path).stdout.splitlines()
    assert lines[0].startswith("completion_id,when,joules")
    assert len(lines) == 2


def test_energy_forgets_what_is_older_than_asked(tmp_path: Path) -> None:
    ledger, now = Ledger(tmp_path / "ledger.sqlite"), datetime.now(UTC)
    for days in (40, 20, 0):
        when = now - timedelta(days=days)
        ledger.record(Entry(str(days), when, 1.0, 2.0, "rapl", 9, 14.5, 30, 120.0, False, "smollm2-135m", "eco"))
    ledger.close()
    assert len(json_of(greencode("energy", "--json", "--prune", "30", data=tmp_path))) == 2
    assert len(greencode("energy", "--csv", data=tmp_path).stdout.splitlines()) == 3


def test_models_are_listed_pulled_and_verified(default_bundle_folder: Path, tmp_path: Path) -> None:
    bundles = {bundle["name"]: bundle for bundle in json_of(greencode("models", "list", "--json", data=tmp_path))}
    assert list(bundles) == ["smollm2-135m"]
    bundle = bundles["smollm2-135m"]
    assert bundle["exits"] == [12, 18, 22, 24, 26, 28, 30]
    assert bundle["cached"]
    assert bundle["description"] in greencode("models", "list", data=tmp_path).stdout  # whole, where no terminal is
    assert "is ready in" in greencode("models", "pull", "smollm2-135m", data=tmp_path).stdout
    assert "complete and unchanged" in greencode("models", "verify", "smollm2-135m", data=tmp_path).stdout


def test_the_doctor_finds_this_machine_fit(default_bundle_folder: Path, tmp_path: Path) -> None:
    checks = json_of(greencode("doctor", "--json", data=tmp_path))["checks"]
    assert all(set(check) == {"name", "ok", "detail", "fix"} for check in checks)
    assert all(check["fix"] for check in checks if not check["ok"])
    completion = next(check for check in checks if check["name"] == "completion")
    assert completion["ok"]
    assert "tokens in" in completion["detail"]
    loss = next(check for check in checks if check["name"] == "quality loss")
    assert loss["detail"] == "calibrated for 0.5 %, 1 %, 2 %, 5 %; by default balanced 1 %, eco 5 %"


def test_the_doctor_names_what_fails_and_the_fix(tmp_path: Path) -> None:
    result = greencode("doctor", "--model", "no-such-model", data=tmp_path)
    assert result.returncode == 1
    assert "no-such-model" in result.stdout
    assert "fix:" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["complete", "no/such/file.py"], "no/such/file.py cannot be read"),
        (["complete", "FILE", "--at", "here"], "--at takes LINE:COL"),
        (["complete", "FILE", "--at", "99:1"], "the file has 2 lines"),
        (["complete", "BINARY"], "is not UTF-8 text"),
        (["complete", "EMPTY"], "has nothing to continue"),
        (["complete", "FILE", "--profile", "turbo"], "unknown profile 'turbo'"),
        (["complete", "FILE", "--model", "no-such-model"], "no-such-model"),
        (["complete", "FILE", "--multiline", "perhaps"], "unknown --multiline"),
        (["models", "verify", "no-such-model"], "no-such-model"),
        (["energy", "--grid", "Atlantis"], "Atlantis"),
    ],
)
def test_a_mistake_gets_one_line_and_status_1(
    arguments: list[str], says: str, default_bundle_folder: Path, tmp_path: Path
) -> None:
    files = {"FILE": b"x = 1\ny", "BINARY": b"\xff\xfe\0\1", "EMPTY": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    result = greencode(*(str(tmp_path / word) if word in files else word for word in arguments), data=tmp_path)
    assert result.returncode == 1
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if not line.endswith("...")]
    assert line.startswith("greencode: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_gets_one_line_and_status_1(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.symlink_to("/dev/full")
    rows = write_rows(tmp_path / "rows")
    command = ("eval", "py150", "--data", str(rows), "--out", str(results), "--profile", "full", "--limit", "1")
    result = greencode(*command, "--control", "none", data=tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1] == "greencode: No space left on device; what was written before is intact"


def test_wrong_usage_has_status_2(tmp_path: Path) -> None:
    assert greencode("complete", data=tmp_path).returncode == 2
    assert greencode("fly", data=tmp_path).returncode == 2
    assert greencode("--version", data=tmp_path).stdout.strip()


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys, greencode_lsp.cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_mistake_in_what_to_complete_is_told_before_torch_is_loaded() -> None:
    code = (
        "import sys; from greencode_lsp.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    sys.exit(f'{ended.code} {\"torch\" in sys.modules}')"
    )
    arguments = ("complete", "no/such/file.py")
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1] == "1 False"
