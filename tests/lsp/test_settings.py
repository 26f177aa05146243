from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from greencode_lsp.server.settings import Settings, read_settings
from tests.lsp.conftest import OPTIONS, PYTHON, Editor, change_settings, run, running_editor, until


def test_every_setting_is_read_in_the_spelling_of_clients() -> None:
    section = {
        "model": "other",
        "profile": "exact",
        "maxQualityLoss": 5,
        "maxTokens": 7,
        "debounceMs": 0,
        "automatic": False,
        "multiline": "never",
        "languages": ["python"],
        "exclude": ["*.min.js"],
        "otherFiles": True,
        "alternatives": 2,
        "device": "cpu",
        "threads": 3,
        "certainty": 35,
        "gridFactor": "FRA",
        "ledgerDays": 90,
        "pauseOnBattery": True,
        "completionMenu": True,
        "path": "/ignored",
    }
    reading = read_settings(section)
    assert reading.complaints == []
    assert reading.settings == Settings(
        model="other",
        profile="exact",
        max_quality_loss=5,
        max_tokens=7,
        certainty=35,
        debounce_ms=0,
        automatic=False,
        multiline="never",
        languages=("python",),
        exclude=("*.min.js",),
        other_files=True,
        alternatives=2,
        device="cpu",
        threads=3,
        grid_factor="FRA",
        ledger_days=90,
        pause_on_battery=True,
        completion_menu=True,
    )


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("profile", "turbo", "one of full, exact"),
        ("maxTokens", "many", "a number from 1 to 256"),
        ("maxTokens", 0, "a number from 1 to 256"),
        ("certainty", 100, "a number from 0 to 90"),
        ("maxTokens", 2.5, "whole number"),
        ("debounceMs", None, "a number from 0"),
        ("debounceMs", "soon", "a number from 0"),
        ("languages", "python", "a list of language ids"),
        ("exclude", [1], "a list of patterns"),
        ("alternatives", 9, "a number from 1 to 5"),
        ("gridFactor", "Atlantis", "world"),
        ("gridFactor", -3, "gridFactor"),
        ("pauseOnBattery", "yes", "true or false"),
        ("model", "", "a name"),
        ("model", "./model", "the absolute path"),
        ("model", "models/tiny", "the absolute path"),
        ("model", "..", "the absolute path"),
        ("model", "//host/share/model", "on this machine"),
        ("model", r"\\host\share\model", "on this machine"),
        ("colour", "red", "is not a setting"),
    ],
)
def test_a_bad_setting_is_named_and_costs_only_itself(key: str, value: Any, says: str) -> None:
    reading = read_settings({key: value, "threads": 2})
    (complaint,) = reading.complaints
    assert f"greencode.{key}" in complaint
    assert says in complaint
    assert "\n" not in complaint
    assert reading.settings == Settings(threads=2)


@pytest.mark.parametrize("section", ["text", 5, ["list"]])
def test_a_section_that_is_no_object_leaves_the_defaults(section: Any) -> None:
    reading = read_settings(section)
    assert reading.settings == Settings()
    assert len(reading.complaints) == 1


async def test_changed_settings_act_on_the_next_completion(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start()
        await editor.until_ready()
        uri = editor.open(PYTHON)
        await change_settings(editor, {"maxTokens": 2, "debounceMs": 0, "profile": "exact", "gridFactor": "FRA"})
        await until(lambda: "exact" in editor.status[-1]["message"], "the profile has changed")
        (_item,) = await editor.suggest(uri, 9, 15)
        await until(lambda: editor.energy, "the energy arrives")
        assert editor.energy[-1]["tokens"] <= 2
        assert editor.energy[-1]["profile"] == "exact"
        assert editor.energy[-1]["today"]["gridFactor"]["name"] == "FRA"

        await change_settings(editor, {"languages": ["java"]})
        await until(lambda: "profile auto" in editor.status[-1]["message"], "the languages have changed")
        assert await editor.suggest(uri, 9, 15) == []

        await change_settings(editor, {"maxTokens": "many", "debounceMs": 0})
        await until(lambda: editor.client.messages, "the bad setting is reported")
        assert "greencode.maxTokens" in editor.client.messages[-1].message
        assert await editor.suggest(uri, 9, 15)
        await editor.client.shutdown_session()


async def test_a_bound_between_those_the_model_is_calibrated_for_is_told_once(
    default_bundle_folder: Path, tmp_path: Path
) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start(options={**OPTIONS, "maxQualityLoss": 3})
        rounded = "maxQualityLoss is 3 %, but the model is calibrated for 0.5 %, 1 %, 2 %, 5 %: auto keeps to 2 %"
        await until(lambda: editor.client.messages, "the warning is shown")
        (message,) = editor.client.messages
        assert (message.type, message.message) == (types.MessageType.Warning, f"greencode: {rounded}")
        await until(lambda: rounded in editor.status[-1]["message"], "the status says it, too")
        assert editor.status[-1]["kind"] == "normal"
        report = await run(editor, "doctor")
        check = next(check for check in report["checks"] if check["name"] == "quality loss")
        assert (check["ok"], check["detail"]) == (False, rounded)
        assert "0.5 %, 1 %, 2 %, 5 %" in check["fix"]

        await run(editor, "setProfile", "eco")
        await until(lambda: editor.status[-1]["message"].endswith("profile eco"), "eco keeps its own bound")
        await run(editor, "setProfile", "auto")
        await until(lambda: rounded in editor.status[-1]["message"], "auto is in force again")
        assert len(editor.client.messages) == 1

        await change_settings(editor, {"maxQualityLoss": 0.2, "profile": "balanced", **OPTIONS})
        await until(lambda: len(editor.client.messages) == 2, "another bound is told")
        assert editor.client.messages[-1].message.endswith("no token exits early, balanced runs all layers")
        assert await editor.suggest(editor.open(PYTHON), 9, 15)
        await until(lambda: editor.energy, "the energy arrives")
        assert editor.energy[-1]["meanExitLayer"] == editor.energy[-1]["layers"]

        await change_settings(editor, {"maxQualityLoss": 2, **OPTIONS})
        await until(lambda: editor.status[-1]["message"].endswith("profile auto"), "a bound to be had says nothing")
        assert len(editor.client.messages) == 2
        await editor.client.shutdown_session()


async def test_commands_pause_resume_and_choose_profiles(editor: Editor) -> None:
    uri = editor.open(PYTHON)
    await run(editor, "pause", 10)
    await until(lambda: editor.status[-1]["kind"] == "inactive", "the pause is announced")
    assert "paused until" in editor.status[-1]["message"]
    assert await editor.suggest(uri, 9, 15) == []
    await run(editor, "resume")
    await until(lambda: editor.status[-1]["kind"] == "normal", "the end of the pause is announced")
    assert await editor.suggest(uri, 9, 15)
    await run(editor, "setProfile", "exact")
    assert (await run(editor, "stats"))["profile"] == "exact"
    with pytest.raises(Exception, match="turbo"):
        await run(editor, "setProfile", "turbo")
    assert (await run(editor, "stats"))["profile"] == "exact"
    await run(editor, "setProfile", "auto")
    with pytest.raises(Exception, match="minutes to pause"):
        await run(editor, "pause", -1)


async def test_the_doctor_reports_by_command(editor: Editor) -> None:
    report = await run(editor, "doctor")
    names = [check["name"] for check in report["checks"]]
    assert {"greencode", "torch", "cpu", "gpu", "ledger", "completion"} <= set(names)
    assert all(set(check) == {"name", "ok", "detail", "fix"} for check in report["checks"])
    assert next(check for check in report["checks"] if check["name"] == "completion")["ok"]
    assert next(check for check in report["checks"] if check["name"] == "quality loss")["ok"]


async def test_resetting_statistics_empties_the_day(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start()
        await editor.suggest(editor.open(PYTHON), 9, 15)
        assert (await run(editor, "stats"))["today"]["completions"] == 1
        await run(editor, "resetStats")
        assert (await run(editor, "stats"))["today"]["completions"] == 0
        await editor.client.shutdown_session()


async def test_ordinary_completion_is_there_when_asked_for(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        result = await editor.start(options={**OPTIONS, "completionMenu": True})
        assert result.capabilities.completion_provider is not None
        uri = editor.open(PYTHON)
        answer = await editor.client.text_document_completion_async(
            types.CompletionParams(types.TextDocumentIdentifier(uri), types.Position(9, 15))
        )
        (item,) = answer.items
        assert item.text_edit.new_text == "len(self.items) == 0"
        await editor.client.shutdown_session()
