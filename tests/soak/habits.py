"""How three editors speak LSP: what they can, what they send, and what they leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.soak.documents import UTF_8, UTF_16, UTF_32


@dataclass(frozen=True)
class Habit:
    """One editor's ways.

    `full_sync`: the share of changes that it sends as the whole text. `cancels`: whether it cancels what a newer
    request supersedes. `versions`: whether every change has a version; else some have null or none.
    `configuration`: whether the server can ask for settings. `menu`: whether it asks for ordinary completion.
    `reports`: whether it tells what was shown and accepted in part.
    """

    name: str
    encoding: str
    line_ends: tuple[str | None, ...]
    full_sync: float
    cancels: bool
    versions: bool
    configuration: bool
    menu: bool
    reports: bool
    notebooks: bool

    def capabilities(self) -> dict[str, Any]:
        """Return the client's capabilities for `initialize`."""
        workspace: dict[str, Any] = {}
        if self.configuration:
            workspace = {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}
        # A client that knows UTF-16 alone need not say so.
        general = {} if self.encoding == UTF_16 else {"positionEncodings": [self.encoding]}
        return {
            "general": general,
            "textDocument": {"inlineCompletion": {"dynamicRegistration": True}} if not self.menu else {},
            "window": {"workDoneProgress": self.configuration},
            "workspace": workspace,
        }


VSCODE = Habit(
    name="vscode",
    encoding=UTF_16,
    line_ends=("\n", "\r\n"),
    full_sync=0.02,
    cancels=True,
    versions=True,
    configuration=True,
    menu=False,
    reports=True,
    notebooks=True,
)

NEOVIM = Habit(
    name="neovim",
    encoding=UTF_8,
    line_ends=("\n", "\n", "\r\n"),
    full_sync=0.25,
    cancels=False,
    versions=True,
    configuration=True,
    menu=False,
    reports=True,
    notebooks=False,
)

MINIMAL = Habit(
    name="minimal",
    encoding=UTF_32,
    line_ends=("\n", "\r\n", "\r", None),
    full_sync=1.0,
    cancels=False,
    versions=False,
    configuration=False,
    menu=True,
    reports=False,
    notebooks=False,
)

HABITS = (VSCODE, NEOVIM, MINIMAL)
