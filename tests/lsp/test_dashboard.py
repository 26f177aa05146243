"""What the dashboard is told, by a real ledger and a real server."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from greencode_lsp.energy import Entry, Ledger, NullLedger, grid_factor
from greencode_lsp.server.dashboard import dashboard_payload
from tests.lsp.conftest import OPTIONS, PYTHON, Editor, run, running_editor, until
from tests.lsp.test_inline_completion import wire

NOW = datetime.now(UTC)


def entry(number: int, when: datetime, latency: float = 100.0, depth: float | None = 12.0) -> Entry:
    return Entry(f"{when} {number}", when, 1.0, 2.0, "rapl", 9, depth, 30, latency, False, "smollm2-135m", "eco")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def test_a_week_is_summed_up(ledger: Ledger) -> None:
    for number in range(1, 101):
        ledger.record(entry(number, NOW - timedelta(minutes=5), latency=number))
    for number, depth in ((201, 29.6), (202, None)):
        ledger.record(taken := entry(number, NOW, depth=depth))
        ledger.mark_shown(taken.completion_id)
    ledger.mark_accepted(taken.completion_id, 3)
    ledger.record(replace(entry(301, NOW), cached=True))
    ledger.record(replace(entry(302, NOW), tokens=0, mean_exit_layer=None))
    for days in range(1, 30):
        ledger.record(entry(400, NOW - timedelta(days=days + 7)))
    payload = dashboard_payload(ledger, grid_factor("FRA"))
    summary: dict[str, Any] = payload["week"]
    assert (summary["computed"], summary["shown"], summary["accepted"], summary["layers"]) == (102, 2, 1, 30)
    assert summary["depths"] == [{"layer": 12, "completions": 100}, {"layer": 30, "completions": 1}]
    latencies = [*map(float, range(1, 101)), 100.0, 100.0]
    hundredths = quantiles(latencies, n=100, method="inclusive")
    expected = {"p50": hundredths[49], "p90": hundredths[89], "p99": hundredths[98]}
    assert summary["latencyMs"] == pytest.approx(expected)
    assert summary["last"] == [{"joules": 1.0, "joulesFull": 2.0}] * 60
    assert len(payload["days"]) == 14
    assert payload["days"] == sorted(payload["days"], key=lambda one: one["day"])
    assert payload["gridFactor"]["name"] == "FRA"


def test_an_empty_week_has_nothing_to_show(ledger: Ledger) -> None:
    for source in (ledger, NullLedger("no disk")):
        payload = dashboard_payload(source, grid_factor("world"))
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
