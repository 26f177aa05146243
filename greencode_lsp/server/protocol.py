"""pygls' protocol, with an answer to every request, in the states that LSP defines and for what makes no sense."""

import json
import logging
from typing import Any
from urllib.parse import unquote

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol

from greencode_lsp.server.repairs import repair

log = logging.getLogger(__name__)

TRACEBACKS = ("Unable to deserialize message", "Unable to handle message")


class AnsweringProtocol(LanguageServerProtocol):
    """Answers a request that it cannot serve with an error, and lets go of what waits for a malformed answer.

    pygls would only log both, and leave the client and the server waiting.
    """

    exited = False
    """Whether the client has sent `exit`."""

    def receive(self, body: bytes) -> None:
        """Take the body of a message; an error that is not the client's is logged, and never raised."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self.report_unreadable("a message is no JSON")
            return
        try:
            self._receive(message)
        except Exception as error:
            self._server._report_server_error(error, JsonRpcException)

    def report_unreadable(self, problem: str) -> None:
        """Log that something from the client could not be read, and tell the client as JSON-RPC says: for no id."""
        log.warning("from the client: %s", problem)
        self._send_response(None, error=JsonRpcParseError(problem).to_response_error())  # type: ignore[arg-type]

    def _receive(self, message: Any) -> None:
        if not isinstance(message, dict) or message.setdefault("jsonrpc", self.VERSION) != self.VERSION:
            id = message.get("id") if isinstance(message, dict) else None
            self._refuse(id, JsonRpcInvalidRequest("a message must be one JSON-RPC 2.0 object"))
            return
        if message.get("method") == types.EXIT:
            self.exited = True
            return
        if "method" in message and (refusal := self._refusal(message["method"])) is not None:
            if "id" in message:
                self._refuse(message["id"], refusal)
            return
        repair(message, self._next_version)
        self.handle_message(self.structure_message(message))

    def _refusal(self, method: Any) -> JsonRpcException | None:
        """Return why a message cannot be served now, None where it can."""
        if self._shutdown:
            return JsonRpcInvalidRequest("the server has been shut down: only exit may follow")
        if self._workspace is None and method != types.INITIALIZE:
            return JsonRpcServerNotInitialized("the first message must be initialize")
        if self._workspace is not None and method == types.INITIALIZE:
            return JsonRpcInvalidRequest("initialize may be sent only once")
        return None

    def _refuse(self, id: Any, error: JsonRpcException) -> None:
        known = id if isinstance(id, (str, int)) else None
        self._send_response(known, error=error.to_response_error())  # type: ignore[arg-type]

    def _next_version(self, uri: str) -> int:
        document = self.workspace.text_documents.get(unquote(uri))
        return (document.version or 0) + 1 if document is not None else 0

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turn a JSON object into a message; raise `JsonRpcException` when it is none, after ending what it is for."""
        try:
            return super().structure_message(data)
        except JsonRpcException as problem:
            if data.get("method") == types.INITIALIZE and (readable := self._readable(data)) != data:
                return self.structure_message(readable)
            if "method" in data and "id" in data:
                self._refuse(
                    data["id"], JsonRpcInvalidParams(f"the parameters of {data['method']} are not what LSP says")
                )
            elif (asked := self._request_futures.pop(data.get("id", ""), None)) is not None:
                asked.set_exception(problem)
            raise

    def _readable(self, initialize: dict[str, Any]) -> dict[str, Any]:
        """Return `initialize` without the optional parameters and capabilities that are not what LSP says."""
        params = initialize["params"]
        if not isinstance(params, dict):
            return initialize

        def fits(kind: type, fields: dict[str, Any]) -> bool:
            try:
                self._converter.structure(fields, kind)
            except Exception:
                return False
            return True

        able = {
            name: value
            for name, value in params["capabilities"].items()
            if fits(types.ClientCapabilities, {name: value})
        }
        kept = {
            name: value
            for name, value in params.items()
            if name != "capabilities" and fits(types.InitializeParams, {"capabilities": {}, name: value})
        }
        return {**initialize, "params": {**kept, "capabilities": able}}


def hush_tracebacks() -> None:
    """Keep pygls from logging a traceback for each malformed message; the server logs one line for it."""
    for name in ("pygls.protocol.json_rpc", "pygls.server"):
        logging.getLogger(name).addFilter(lambda record: not str(record.msg).startswith(TRACEBACKS))
