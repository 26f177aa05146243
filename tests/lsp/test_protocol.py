"""What the protocol does with messages that pygls cannot read."""

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from greencode_lsp.server.protocol import AnsweringProtocol


def test_an_answer_that_is_no_list_of_settings_ends_the_wait_for_it() -> None:
    protocol = LanguageServer("test", "1", protocol_cls=AnsweringProtocol).protocol
    wanted = types.ConfigurationParams([types.ConfigurationItem(section="greencode")])
    waiting = protocol.send_request(types.WORKSPACE_CONFIGURATION, wanted, msg_id="settings")
    with pytest.raises(JsonRpcException):
        protocol.structure_message({"jsonrpc": "2.0", "id": "settings", "result": None})
    assert isinstance(waiting.exception(timeout=0), JsonRpcException)
