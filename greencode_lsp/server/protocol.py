"""pygls' protocol, with an answer also for requests that make no sense."""

import logging
from typing import Any

from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import LanguageServerProtocol

TRACEBACKS = ("Unable to deserialize message", "Unable to handle message")


class AnsweringProtocol(LanguageServerProtocol):
    """Answers a malformed request with an error, where pygls would only log it and leave the client waiting."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turn a JSON object into a message; raise `JsonRpcException` when it is none, after answering it."""
        try:
            return super().structure_message(data)
        except JsonRpcException:
            if "method" in data and "id" in data:
                error = JsonRpcInvalidParams(f"the parameters of {data['method']} are not what LSP says")
                self._send_response(data["id"], error=error.to_response_error())
            raise


def hush_tracebacks() -> None:
    """Keep pygls from logging a traceback for each malformed message; the server logs one line for it."""
    for name in ("pygls.protocol.json_rpc", "pygls.server"):
        logging.getLogger(name).addFilter(lambda record: not str(record.msg).startswith(TRACEBACKS))
