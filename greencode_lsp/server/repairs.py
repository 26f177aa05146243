"""What real clients leave out, send as null, or number as older drafts of LSP did, put right before it is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lsprotocol import types

Params = dict[str, Any]
NextVersion = Callable[[str], int]
"""Gives the version that follows the last one of a document, by its URI."""

INVOKED, AUTOMATIC = types.InlineCompletionTriggerKind.Invoked.value, types.InlineCompletionTriggerKind.Automatic.value


def repair(message: dict[str, Any], next_version: NextVersion) -> None:
    """Change a message from the client in place into what LSP asks for, where it is clear what was meant."""
    method = message.get("method")
    if method in (types.SHUTDOWN, types.EXIT):
        message["params"] = None
    elif method in OBJECTS and message.get("params") is None:
        message["params"] = {}
    params = message.get("params")
    if method in REPAIRS and isinstance(params, dict):
        REPAIRS[method](params, next_version)


def initialize(params: Params, _: NextVersion) -> None:
    """Take a client without capabilities for one that can do nothing special."""
    if not isinstance(params.get("capabilities"), dict):
        params["capabilities"] = {}
    if not isinstance(params.get("processId"), int):
        params["processId"] = None


def did_open(params: Params, _: NextVersion) -> None:
    """Give a document without language or version an unknown and a first one."""
    document = params.get("textDocument")
    if isinstance(document, dict):
        document["languageId"] = string(document.get("languageId"))
        document["version"] = whole(document.get("version"), 0)


def did_change(params: Params, next_version: NextVersion) -> None:
    """Count the version where the client does not, and take a change without a range for the whole text."""
    document, changes = params.get("textDocument"), params.get("contentChanges")
    if isinstance(document, dict):
        document["version"] = whole(document.get("version"), next_version(string(document.get("uri"))))
    if changes is None:
        params["contentChanges"] = changes = []
    for change in changes if isinstance(changes, list) else ():
        if isinstance(change, dict):
            for name in ("range", "rangeLength"):
                if name in change and change[name] is None:
                    del change[name]


def inline_completion(params: Params, _: NextVersion) -> None:
    """Take a request without a kind, or with kind 0 of LSP's drafts, for explicit; any other kind for automatic."""
    context = params.get("context")
    if not isinstance(context, dict):
        params["context"] = context = {}
    kind = context.get("triggerKind")
    if kind in (None, 0):
        context["triggerKind"] = INVOKED
    elif kind not in (INVOKED, AUTOMATIC):
        context["triggerKind"] = AUTOMATIC


def completion(params: Params, _: NextVersion) -> None:
    """Drop a context that says nothing: without one a request is explicit."""
    context = params.get("context")
    if not isinstance(context, dict) or context.get("triggerKind") not in {
        kind.value for kind in types.CompletionTriggerKind
    }:
        params["context"] = None


def did_change_configuration(params: Params, _: NextVersion) -> None:
    """Take missing settings for null: the client wants to be asked."""
    params.setdefault("settings", None)


def execute_command(params: Params, _: NextVersion) -> None:
    """Take null for no arguments."""
    if params.get("arguments") is None:
        params.pop("arguments", None)


def string(value: Any) -> str:
    """Return a text, "" for what is none."""
    return value if isinstance(value, str) else ""


def whole(value: Any, otherwise: int) -> int:
    """Return a whole number that LSP can hold, `otherwise` for what is none; 3.0 is one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31 else otherwise


OBJECTS = {types.INITIALIZE, types.INITIALIZED, types.WORKSPACE_DID_CHANGE_CONFIGURATION}
"""Methods whose parameters may be left out: all that is in them may be left out."""

REPAIRS: dict[str, Callable[[Params, NextVersion], None]] = {
    types.INITIALIZE: initialize,
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion,
    types.TEXT_DOCUMENT_COMPLETION: completion,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.WORKSPACE_EXECUTE_COMMAND: execute_command,
}
