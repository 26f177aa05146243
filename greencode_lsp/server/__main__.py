"""`greencode-lsp`: the server on stdio, or on one TCP connection."""

import argparse
import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from greencode_lsp import __version__
from greencode_lsp.errors import UserError
from greencode_lsp.server.ending import end, end_on_signals
from greencode_lsp.server.listening import ANYBODY, host_and_port, listening_addresses

if TYPE_CHECKING:
    from greencode_lsp.server.app import GreencodeServer


def main() -> None:
    """Serve until the client says exit, closes the connection, or is gone, or until a signal comes."""
    server: GreencodeServer | None = None

    def leave(status: int) -> None:
        if server is None:
            end(status, lambda: None)
        else:
            end(0 if server.was_shut_down else status, server.assistant.stop)

    end_on_signals(leave)
    arguments = parse_arguments()
    logging.basicConfig(
        stream=sys.stderr,
        level=arguments.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("pygls").setLevel(logging.WARNING)  # below that it logs every message: the user's code
    # Imported here because it takes a second, in which a signal must find its handler.
    from greencode_lsp.server.app import create_server
    from greencode_lsp.server.memory import return_large_blocks
    from greencode_lsp.server.protocol import hush_tracebacks
    from greencode_lsp.server.transport import serve_stdio, serve_tcp
    from greencode_lsp.server.watchdog import watch_process

    hush_tracebacks()
    return_large_blocks()
    server = create_server(lambda: leave(1))
    if arguments.client_process_id:
        watch_process(arguments.client_process_id, lambda: leave(1))
    if arguments.tcp:
        try:
            asyncio.run(serve_tcp(server.protocol, arguments.addresses, arguments.tcp[1]))
        except UserError as error:
            print(f"greencode-lsp: {error}", file=sys.stderr)
    else:
        asyncio.run(serve_stdio(server.protocol, lambda: leave(1)))
    leave(1)


def parse_arguments() -> argparse.Namespace:
    """Read the command line. Some clients always pass --stdio; it is what happens anyway."""
    parser = argparse.ArgumentParser(prog="greencode-lsp", description="greencode's language server, on stdio")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--stdio", action="store_true", help="serve on stdin and stdout (the default)")
    parser.add_argument(
        "--tcp",
        type=host_and_port,
        metavar="HOST:PORT",
        help="serve one connection on TCP instead. HOST must be this machine (127.0.0.1, ::1, localhost); "
        "whatever runs on it can connect",
    )
    parser.add_argument(
        "--allow-remote", action="store_true", help=f"let --tcp listen for other machines, too: {ANYBODY}"
    )
    parser.add_argument("--clientProcessId", type=int, dest="client_process_id", help="end when that process ends")
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    arguments = parser.parse_args()
    arguments.addresses = []
    if arguments.tcp:
        try:
            host, port = arguments.tcp
            arguments.addresses = listening_addresses(host, port, arguments.allow_remote)
        except UserError as error:
            parser.exit(2, f"greencode-lsp: {error}\n")
    return arguments


if __name__ == "__main__":
    main()
