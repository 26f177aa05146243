"""What the dashboard is told, put together by hand and by a real server."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from greencode_lsp.energy import Computed, DayTotals, grid_factor
from greencode_lsp.server.dashboard import dashboard_payload
from tests.lsp.conftest import OPTIONS, PYTHON, Editor, run, running_editor, until
from tests.lsp.test_inline_completion import wire


def computed(latency: float = 100.0, depth: float | None = 12.0, **became: bool) -> Computed:
    return Computed(1.0, 2.0, depth, 30, latency, **{"shown": False, "accepted": False, **became})


def day(number: int) -> DayTotals:
    return DayTotals(date(2026, 5, number), 3, 2, 1, 40, 0.5, 0.2, 0.24, "world", ("rapl",))


def test_a_week_is_summed_up() -> None:
    week = [computed(latency) for latency in range(1, 101)]
    week += [computed(depth=29.6, shown=True), computed(depth=None, shown=True, accepted=True)]
    payload = dashboard_payload([day(number) for number in range(1, 21)], week, grid_factor("FRA"))
    summary: dict[str, Any] = payload["week"]
    assert (summary["computed"], summary["shown"], summary["accepted"]) == (102, 2, 1)
    assert summary["depths"] == [{"layer": 12, "completions": 100}, {"layer": 30, "completions": 1}]
    assert summary["latencyMs"]["p50"] == pytest.approx(51.5)
    assert summary["last"][0] == {"joules": 1.0, "joulesFull": 2.0}
    assert len(summary["last"]) == 60
    assert [one["day"] for one in payload["days"]] == [f"2026-05-{number:02}" for number in range(7, 21)]
    assert payload["gridFactor"]["name"] == "FRA"


def test_an_empty_week_has_nothing_to_show() -> None:
    payload = dashboard_payload([], [], grid_factor("world"))
    assert payload["days"] == []
    assert payload["week"]["latencyMs"] is None


async def test_what_is_shown_and_taken_counts_for_what_was_computed(
    default_bundle_folder: Path, tmp_path: Path
) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start(options=OPTIONS)
        uri = editor.open(PYTHON)
        (item,) = await editor.suggest(uri, 9, 15)
        editor.client.protocol.notify("textDocument/didShowCompletion", {"item": wire(item)})
        editor.change(uri, 2, (9, 15), (9, 15), item.insert_text[:3])
        (rest,) = await editor.suggest(uri, 9, 18)
        editor.client.protocol.notify("textDocument/didShowCompletion", {"item": wire(rest)})
        await run(editor, "didAccept", rest.command.arguments[0])
        week = (await run(editor, "dashboard"))["week"]
        assert (week["computed"], week["shown"], week["accepted"]) == (1, 1, 1)
        assert week["last"][0]["joules"] > 0
        csv = await run(editor, "csv")
        assert csv.startswith("completion_id,when,joules")
        assert len(csv.splitlines()) == 3
        await editor.client.shutdown_session()


async def test_the_depth_of_every_token_can_be_asked_for(editor: Editor) -> None:
    uri = editor.open("import json\n" + PYTHON)
    (item,) = await editor.suggest(uri, 10, 15)
    answer = await run(editor, "tokens", item.command.arguments[0])
    assert sum(token["length"] for token in answer["tokens"]) == len(str(item.insert_text))
    assert all(0 < token["exitLayer"] <= answer["layers"] for token in answer["tokens"])
    assert answer["layers"] == 30
    assert await run(editor, "tokens", "unknown") is None
    await until(lambda: editor.energy, "the energy arrives")
