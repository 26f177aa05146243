"""Servers that start at once with an empty cache: one prepares the model, the others wait for it and say so."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from greencode_lsp.paths import cache_folder
from tests.lsp.conftest import PYTHON, Editor, running_editor, until

pytestmark = pytest.mark.slow

SERVERS = 4

MADE = ("compiling the kernel", "packing the weights", "measuring what")


@pytest.fixture
def cache(default_bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a cache that holds the model, which needs a network, and nothing that is made from it."""
    cache = tmp_path / "cache"
    shutil.copytree(default_bundle_folder, cache / "models" / default_bundle_folder.name)
    assert default_bundle_folder.parent == cache_folder() / "models"
    monkeypatch.setenv("GREENCODE_CACHE", str(cache))
    yield cache
    shutil.rmtree(cache)


async def started(stack: AsyncExitStack, folder: Path, name: str) -> tuple[Editor, Path]:
    """Start a server with a log of its own; do not wait until it is ready."""
    log = folder / f"{name}.log"
    log.touch()
    into_log = ["sh", "-c", f'exec "$@" 2>"{log}"', "sh"]
    editor = await stack.enter_async_context(running_editor(folder / name, "--log-level", "info", behind=into_log))
    await editor.start()
    return editor, log


async def ready(editor: Editor) -> None:
    await editor.until_ready()
    assert await editor.suggest(editor.open(PYTHON), 9, 15)


async def test_one_of_four_servers_prepares_and_all_answer(cache: Path, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        servers = await asyncio.gather(*(started(stack, tmp_path, str(number)) for number in range(SERVERS)))
        await asyncio.gather(*(ready(editor) for editor, _ in servers))
    logs = [log.read_text() for _, log in servers]
    assert {made: sum(text.count(made) for text in logs) for made in MADE} == dict.fromkeys(MADE, 1)
    assert any("waiting for another greencode process that" in text for text in logs)
    assert len(list((cache / "packed").glob("packed-*"))) == 1
    assert len(list((cache / "costs").iterdir())) == 1


async def test_another_server_takes_over_from_one_that_is_killed(cache: Path, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first, first_log = await started(stack, tmp_path, "first")
        await until(lambda: MADE[1] in first_log.read_text(), "the first server packs")
        second, second_log = await started(stack, tmp_path, "second")
        await until(lambda: "waiting for another" in second_log.read_text(), "the second server waits")
        assert first.client._server is not None
        first.client._server.kill()
        await ready(second)
    assert MADE[1] in second_log.read_text()
