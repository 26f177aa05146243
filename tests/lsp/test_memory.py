"""What a server no longer uses is given back: another model's weights, and the blocks that they lay in."""

import asyncio
import gc
import platform
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from greencode_lsp.completion.suggestion import Suggestion
from greencode_lsp.energy import LedgerThread
from greencode_lsp.server.assistant import Assistant
from greencode_lsp.server.payloads import Kind
from greencode_lsp.server.place import Place
from greencode_lsp.server.settings import Settings
from tests.lsp.conftest import PYTHON

HOLES = """
import psutil, torch
from greencode_lsp.server.memory import return_large_blocks
return_large_blocks()
torch.empty(16 * 2**20, dtype=torch.uint8).fill_(1)  # glibc's own limit would now be 16 MB
blocks = [(torch.ones(4 * 2**20, dtype=torch.uint8), torch.ones(2000, dtype=torch.uint8)) for _ in range(50)]
before = psutil.Process().memory_info().rss
blocks = [small for _, small in blocks]
print((before - psutil.Process().memory_info().rss) // 2**20)
"""

SMALL_HOLES = """
import psutil, torch
from greencode_lsp.server.memory import return_free_pages
blocks = [torch.ones(60_000, dtype=torch.uint8) for _ in range(4000)]
before = psutil.Process().memory_info().rss
blocks = blocks[::4]
return_free_pages()
print((before - psutil.Process().memory_info().rss) // 2**20)
"""


class Nobody:
    """Listens to an assistant and does nothing."""

    def status_changed(self, kind: Kind, busy: bool, message: str) -> None: ...

    def completed(self, document: str, suggestion: Suggestion) -> None: ...

    def warned(self, message: str) -> None: ...

    def load_progress(self, stage: str, done: int, total: int) -> None: ...


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps large blocks")
def test_large_blocks_go_back_to_the_system_though_small_ones_stay_between_them() -> None:
    ended = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 150  # of 200 MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps free pages")
def test_free_pages_between_small_blocks_go_back_to_the_system() -> None:
    ended = subprocess.run([sys.executable, "-c", SMALL_HOLES], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 100  # of 180 MB


async def test_a_model_is_let_go_when_another_takes_its_place_though_requests_for_it_were_cancelled(
    default_bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GREENCODE_DATA", str(tmp_path))
    assistant = Assistant(Nobody(), LedgerThread(tmp_path / "ledger.sqlite"))
    assistant.configure(Settings(threads=1, max_tokens=16))
    completer = await assistant.completer()
    first = weakref.ref(completer)
    del completer
    gc.collect()
    gc.disable()
    try:
        asked = asyncio.ensure_future(assistant.suggest(Place("file:///a.py", "python", PYTHON, ""), automatic=False))
        while not assistant._stops:
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait({asked})  # as pygls does: nobody takes the exception
        assert asked.cancelled()
        del asked
        assistant.configure(Settings(threads=2, max_tokens=16))
        assert await assistant.completer() is not None
        assert first() is None
    finally:
        gc.enable()
        assistant.stop()
