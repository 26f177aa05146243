"""The ledger beside a real server: locked by others, long, and old."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from greencode_lsp.energy import Entry, Ledger
from greencode_lsp.energy.ledger_queries import recording
from tests.lsp.conftest import PYTHON, run, running_editor, until
from tests.lsp.test_inline_completion import wire as wire_item
from tests.lsp.test_protocol import INITIALIZE, Wire
from tests.lsp.test_robustness import frame, start

NO_MODEL = {"model": "no-such-model"}
"""Loads nothing: the ledger does without."""


def fill(folder: Path, ages: list[timedelta]) -> Path:
    path = folder / "ledger.sqlite"
    now = datetime.now(UTC)
    ledger = Ledger(path)
    entries = [
        Entry(f"old-{number}", now - age, 1.0, 2.0, "rapl", 9, 14.5, 30, 120.0, False, "smollm2-135m", "eco")
        for number, age in enumerate(ages)
    ]
    ledger.write([recording(entry) for entry in entries])
    ledger.close()
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def serving(data: Path, **options: Any) -> Iterator[Wire]:
    process = start(data)
    wire = Wire(process)
    wire.ask("initialize", {**INITIALIZE, "initializationOptions": {**NO_MODEL, **options}}, 1)
    wire.send(frame("initialized", {}))
    while True:
        message = wire.next_message()
        if message.get("method") == "greencode/status" and message["params"]["kind"] == "error":
            break
    yield wire
    wire.ask("shutdown", None, 99)
    wire.send(frame("exit", None))
    assert process.wait() == 0
    process.communicate()


def command(name: str, id: int) -> bytes:
    return frame("workspace/executeCommand", {"command": f"greencode.{name}"}, id)


async def test_a_locked_ledger_holds_nothing_up_and_loses_nothing(default_bundle_folder: Path, tmp_path: Path) -> None:
    path = fill(tmp_path, [timedelta(0)])
    async with running_editor(tmp_path) as editor:
        with locked(path):
            await editor.start()
            uri = editor.open(PYTHON)
            (item,) = await editor.suggest(uri, 9, 15)
            editor.client.protocol.notify("textDocument/didShowCompletion", {"item": wire_item(item)})
            await run(editor, "didAccept", item.command.arguments[0])
            await until(lambda: editor.energy, "the energy arrives")
            assert editor.energy[0]["joules"] > 0
            assert editor.energy[0]["today"]["wattHours"] is None
            assert (await run(editor, "stats"))["today"]["wattHours"] is None
            assert len((await run(editor, "csv")).splitlines()) == 2
        while (await run(editor, "stats"))["today"]["wattHours"] is None:
            pass
        week = (await run(editor, "dashboard"))["week"]
        assert (week["computed"], week["shown"], week["accepted"]) == (2, 1, 1)
        await editor.client.shutdown_session()


@pytest.mark.parametrize("name", ["csv", "dashboard"])
def test_a_long_record_keeps_no_other_request_waiting(name: str, tmp_path: Path) -> None:
    fill(tmp_path, [timedelta(seconds=number) for number in range(150_000)])
    with serving(tmp_path) as wire:
        wire.send(command(name, 2) + command("resume", 3))
        answers = [message for message in (wire.next_message() for _ in range(2)) if "method" not in message]
        assert [answer["id"] for answer in answers] == [3, 2]


@pytest.mark.parametrize(("days", "left"), [({}, 2), ({"ledgerDays": 30}, 1), ({"ledgerDays": 0}, 3)])
def test_completions_are_kept_for_a_year_or_as_long_as_is_set(days: dict[str, int], left: int, tmp_path: Path) -> None:
    fill(tmp_path, [timedelta(days=400), timedelta(days=300), timedelta(days=3)])
    with serving(tmp_path, **days) as wire:
        wire.send(command("csv", 2))
        assert len(wire.answer(2)["result"].splitlines()) == left + 1


def test_without_a_model_the_record_can_still_be_read(tmp_path: Path) -> None:
    fill(tmp_path, [timedelta(0)] * 3)
    with serving(tmp_path) as wire:
        wire.send(command("stats", 2))
        assert wire.answer(2)["result"]["today"]["completions"] == 3
