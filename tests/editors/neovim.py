"""A headless Neovim that is typed into, and looked into, over its own socket."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.waiting import HANG_SECONDS, LOOK_SECONDS, Patience

PLUGIN = Path(__file__).parents[2] / "nvim"

GHOST_TEXT = """
local drawn = {}
local namespace = vim.api.nvim_create_namespace('greencode')
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
  local lines = { mark[4].virt_text }
  vim.list_extend(lines, mark[4].virt_lines or {})
  for _, line in ipairs(lines) do
    drawn[#drawn + 1] = line[1][1]
  end
end
return table.concat(drawn, '\\n')
"""


def find_neovim() -> str | None:
    """Return Neovim beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name("nvim")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("nvim")


class Neovim:
    """One Neovim without a screen, with the plugin and `lua` as its only configuration. Ends with `stop`."""

    def __init__(self, program: str, folder: Path, lua: str = "") -> None:
        self._program, self._socket = program, str(folder / "nvim.sock")
        setup = folder / "init.lua"
        setup.write_text(f"vim.opt.runtimepath:prepend({json.dumps(str(PLUGIN))})\nvim.o.swapfile = false\n{lua}\n")
        self._process = subprocess.Popen(
            [program, "--headless", "--clean", "-u", str(setup), "--listen", self._socket],
            env={**os.environ, "XDG_STATE_HOME": str(folder), "GREENCODE_DATA": str(folder)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.until(lambda: Path(self._socket).exists(), "Neovim listens")

    @property
    def process_id(self) -> int:
        return self._process.pid

    def lua(self, chunk: str, *arguments: Any) -> Any:
        """Run Lua code with the arguments as `...`; return what it returns. Both ways it goes as JSON."""
        call = quoted(f"vim.json.encode((function(...) {chunk}\nend)(unpack(_A)) or vim.NIL)")
        return json.loads(
            self._remote("--remote-expr", f"luaeval({call}, json_decode({quoted(json.dumps(arguments))}))")
        )

    def keys(self, keys: str) -> None:
        """Type, in Neovim's notation: `ihello<Esc>`."""
        self._remote("--remote-send", keys)

    def edit(self, path: Path) -> None:
        """Open a file."""
        self.lua("vim.cmd.edit(...)", str(path))

    @property
    def text(self) -> str:
        """The text of the current buffer."""
        return str(self.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\\n')"))

    @property
    def ghost_text(self) -> str:
        """What is drawn and not in the buffer."""
        return str(self.lua(GHOST_TEXT))

    @property
    def statusline(self) -> str:
        return str(self.lua("return require('greencode').statusline()"))

    @property
    def messages(self) -> str:
        return self._remote("--remote-expr", "execute('messages')")

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait until something holds and return it; fail naming it when that is in vain."""
        patience = Patience(what)
        while not (value := holds()):
            time.sleep(LOOK_SECONDS)
            try:
                patience.look_again()
            except AssertionError as error:
                ended = self._process.poll() is not None
                raise AssertionError(f"{error}; {'Neovim has ended' if ended else self.messages}") from None
        return value

    def _remote(self, how: str, what: str) -> str:
        command = [self._program, "--server", self._socket, how, what]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
        assert done.returncode == 0, f"{what}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """End Neovim as a crash would: what it started has to notice."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def quoted(text: str) -> str:
    """Return a text as Vim script writes it."""
    return "'" + text.replace("'", "''") + "'"
