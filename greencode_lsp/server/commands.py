"""The commands that a client may execute."""

import asyncio
from typing import Any

from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from greencode_lsp.completion.profiles import ProfileError
from greencode_lsp.energy import grid_factor
from greencode_lsp.server import payloads
from greencode_lsp.server.assistant import Assistant
from greencode_lsp.server.dashboard import csv_text, dashboard_payload, tokens_payload
from greencode_lsp.server.items import DID_ACCEPT


def add_commands(server: LanguageServer, assistant: Assistant) -> None:
    """Add them to a server."""

    @server.command(DID_ACCEPT)
    def did_accept(completion_id: str) -> None:
        assistant.accepted(completion_id)

    @server.command("greencode.setProfile")
    def set_profile(name: str) -> None:
        try:
            assistant.set_profile(name)
        except ProfileError as error:
            raise JsonRpcInvalidParams(str(error)) from error

    @server.command("greencode.pause")
    def pause(minutes: float) -> None:
        if not 0 < minutes <= 7 * 24 * 60:
            raise JsonRpcInvalidParams(f"minutes to pause lie between 0 and a week, not at {minutes:g}")
        assistant.pause(minutes)

    @server.command("greencode.resume")
    def resume() -> None:
        assistant.resume()

    @server.command("greencode.stats")
    async def stats() -> dict[str, Any]:
        factor = grid_factor(assistant.settings.grid_factor)
        today = payloads.today_payload(await asyncio.wrap_future(assistant.ledger.today(factor)), factor)
        return {"model": assistant.settings.model, "profile": assistant.profile, "today": today}

    @server.command("greencode.dashboard")
    async def dashboard() -> dict[str, Any]:
        factor = grid_factor(assistant.settings.grid_factor)
        return await asyncio.wrap_future(assistant.ledger.ask(lambda ledger: dashboard_payload(ledger, factor)))

    @server.command("greencode.csv")
    async def csv() -> str:
        return await asyncio.wrap_future(assistant.ledger.ask(csv_text))

    @server.command("greencode.tokens")
    def tokens(completion_id: str) -> dict[str, Any] | None:
        suggestion = assistant.suggestion(completion_id)
        return tokens_payload(suggestion) if suggestion is not None else None

    @server.command("greencode.resetStats")
    def reset_stats() -> None:
        assistant.ledger.reset()

    @server.command("greencode.doctor")
    async def doctor() -> dict[str, Any]:
        return await assistant.examine()
