import asyncio

import pytest
from lsprotocol import types

from tests.lsp.conftest import PYTHON, Editor, place, plain, run, until

END = (9, 15)


async def test_the_capability_is_advertised(editor: Editor) -> None:
    capabilities = editor.initialized.capabilities
    assert capabilities.inline_completion_provider is not None
    assert capabilities.completion_provider is None
    assert "greencode.setProfile" in capabilities.execute_command_provider.commands


async def test_a_suggestion_comes_with_text_range_and_command(editor: Editor) -> None:
    uri = editor.open(PYTHON)
    (item,) = await editor.suggest(uri, *END)
    assert item.insert_text == "len(self.items) == 0"
    assert item.range == types.Range(types.Position(*END), types.Position(*END))
    assert item.command.command == "greencode.didAccept"


async def test_the_range_covers_what_the_suggestion_writes_again(editor: Editor) -> None:
    uri = editor.open("values = [1, 2, 3]\nfor index in range(len(values)")
    (whole,) = await editor.suggest(uri, 1, 30)
    closing = editor.open("values = [1, 2, 3]\nfor index in range(len(values)):")
    items = await editor.suggest(closing, 1, 30)
    assert whole.insert_text.startswith("):")
    assert not items or items[0].range.end.character <= 32


async def test_energy_follows_every_completion_with_numbers_that_agree(editor: Editor) -> None:
    uri = editor.open(PYTHON + "self.")
    await run(editor, "setProfile", "full")
    await editor.until_told()
    editor.energy.clear()
    (item,) = await editor.suggest(uri, 9, 20)
    await run(editor, "setProfile", "auto")
    await until(lambda: editor.energy, "the energy of the completion arrives")
    (energy,) = editor.energy
    assert energy["completionId"] == item.command.arguments[0]
    assert energy["uri"] == uri
    assert energy["source"] in ("nvml", "rapl", "estimate")
    assert energy["joules"] == pytest.approx(energy["joulesFull"])  # full depth saves nothing
    assert energy["joules"] > 0
    assert 0 < energy["tokens"] <= 16
    assert (energy["meanExitLayer"], energy["layers"]) == (30, 30)
    assert (energy["profile"], energy["model"], energy["cached"]) == ("full", "smollm2-135m", False)
    assert energy["latencyMs"] > 0
    today = energy["today"]
    assert today["completions"] >= 1
    assert today["wattHours"] >= energy["joules"] / 3600 * 0.999
    assert today["gramsCo2e"] == pytest.approx(today["wattHours"] / 1000 * today["gridFactor"]["gramsPerKwh"])
    assert today["gridFactor"]["name"] == "world"


async def test_typing_along_is_answered_from_the_cache_at_no_cost(editor: Editor) -> None:
    uri = editor.open(PYTHON)
    (first,) = await editor.suggest(uri, *END)
    typed = first.insert_text[:6]
    editor.client.text_document_did_change(insertion(uri, 2, *END, typed))
    await editor.until_told()
    editor.energy.clear()
    (rest,) = await editor.suggest(uri, 9, 21)
    await until(lambda: editor.energy, "the energy arrives")
    assert rest.insert_text == first.insert_text[6:]
    assert editor.energy[0]["cached"]
    assert editor.energy[0]["joules"] == 0


async def test_accepting_and_showing_are_counted(editor: Editor) -> None:
    uri = editor.open("def subtract(a, b):\n    ")
    (item,) = await editor.suggest(uri, 1, 4)
    editor.client.protocol.notify("textDocument/didShowCompletion", {"item": wire(item)})
    editor.client.protocol.notify(
        "textDocument/didPartiallyAcceptCompletion", {"item": wire(item), "acceptedLength": 3}
    )
    await editor.client.workspace_execute_command_async(
        types.ExecuteCommandParams("greencode.didAccept", item.command.arguments)
    )
    stats = plain(await editor.client.workspace_execute_command_async(types.ExecuteCommandParams("greencode.stats")))
    assert stats["today"]["completions"] >= 1


async def test_a_cancelled_request_is_answered_at_once_and_computes_no_further(editor: Editor) -> None:
    uri = editor.open("import os\n" * 300 + PYTHON)
    await editor.until_told()
    editor.energy.clear()
    request = editor.client.protocol.send_request_async(
        types.TEXT_DOCUMENT_INLINE_COMPLETION, place(uri, 309, 15), msg_id="to-cancel"
    )
    waiting = asyncio.ensure_future(request)
    await until(lambda: editor.status[-1]["busy"], "the computation has begun")
    editor.client.cancel_request(types.CancelParams(id="to-cancel"))
    with pytest.raises(Exception, match="cancel"):
        await waiting
    await until(lambda: not editor.status[-1]["busy"], "the computation has stopped")
    await editor.until_told()
    assert editor.energy == []


async def test_of_two_requests_for_a_document_only_the_newest_is_computed(editor: Editor) -> None:
    uri = editor.open("import re\n" * 200 + PYTHON)
    older = asyncio.ensure_future(editor.suggest(uri, 209, 15, invoked=False))
    await until(lambda: editor.status[-1]["busy"], "the older one is being computed")
    newer = asyncio.ensure_future(editor.suggest(uri, 209, 15, invoked=False))
    await editor.until_told()
    editor.energy.clear()
    assert await older == []
    assert [item.insert_text for item in await newer]
    await until(lambda: editor.energy, "the newer one's energy arrives")
    await editor.until_told()
    assert len(editor.energy) == 1


async def test_an_answer_for_a_text_that_has_changed_since_is_empty(editor: Editor) -> None:
    uri = editor.open("import sys\n" * 100 + PYTHON)
    waiting = asyncio.ensure_future(editor.suggest(uri, 109, 15))
    await until(lambda: editor.status[-1]["busy"], "the computation has begun")
    editor.client.text_document_did_change(insertion(uri, 2, 109, 15, "x"))
    assert await waiting == []


def insertion(uri: str, version: int, line: int, character: int, text: str) -> types.DidChangeTextDocumentParams:
    at = types.Position(line, character)
    return types.DidChangeTextDocumentParams(
        types.VersionedTextDocumentIdentifier(version, uri),
        [types.TextDocumentContentChangePartial(types.Range(at, at), text)],
    )


def wire(item: types.InlineCompletionItem) -> dict:
    return {
        "insertText": item.insert_text,
        "command": {"title": "", "command": item.command.command, "arguments": item.command.arguments},
    }
