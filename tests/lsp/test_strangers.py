"""What a folder that came with a workspace can start, in a server whose editor names it as the model."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.lsp.conftest import PYTHON, running_editor, until
from tests.models.conftest import cache, tiny  # noqa: F401 - fixtures
from tests.models.tiny import TinyBundle
from tests.waiting import HANG_SECONDS


async def test_a_strangers_model_is_fetched_only_once_the_user_has_said_so(
    tiny: TinyBundle,  # noqa: F811
    tmp_path: Path,
) -> None:
    options = {"model": str(tiny.folder), "device": "cpu", "debounceMs": 0, "alternatives": 1}
    async with running_editor(tmp_path / "data") as editor:
        await editor.start(options=options)
        await until(lambda: editor.status and editor.status[-1]["kind"] == "error", "the refusal is told")
        message = editor.status[-1]["message"]
        assert f"greencode models pull {tiny.folder}" in message
        assert "tiny-model==1.0" in message
        assert "\n" not in message
        assert not (tmp_path / "cache" / "models").exists()
        assert await editor.suggest(editor.open(PYTHON), 9, 15) == []
        await editor.client.shutdown_session()
    command = [sys.executable, "-m", "greencode_lsp.cli", "models", "pull", str(tiny.folder)]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=HANG_SECONDS)
    async with running_editor(tmp_path / "data") as editor:
        await editor.start(options=options)
        await editor.until_ready()
        assert editor.status[-1]["kind"] == "normal"
        await editor.client.shutdown_session()
