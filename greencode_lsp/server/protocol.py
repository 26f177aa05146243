"""pygls' protocol, with an end also for requests and answers that make no sense."""

import logging
from typing import Any

from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import LanguageServerProtocol

TRACEBACKS = ("Unable to deserialize message", "Unable to handle message")


class AnsweringProtocol(LanguageServerProtocol):
    """Answers a malformed request with an error, and lets go of what waits for a malformed answer.

    pygls would only log both, and leave the client and the server waiting.
    """

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turn a JSON object into a message; raise `JsonRpcException` when it is none, after ending what it is for."""
        try:
            return super().structure_message(data)
        except JsonRpcException as problem:
            if "method" in data and "id" in data:
                error = JsonRpcInvalidParams(f"the parameters of {data['method']} are not what LSP says")
                self._send_response(data["id"], error=error.to_response_error())
            elif (asked := self._request_futures.pop(data.get("id", ""), None)) is not None:
                asked.set_exception(problem)
            raise


def hush_tracebacks() -> None:
    """Keep pygls from logging a traceback for each malformed message; the server logs one line for it."""
    for name in ("pygls.protocol.json_rpc", "pygls.server"):
        logging.getLogger(name).addFilter(lambda record: not str(record.msg).startswith(TRACEBACKS))
