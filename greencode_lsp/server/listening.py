"""Where `--tcp` listens, and whom it listens to: this machine alone, unless the user says otherwise, and never HTTP."""

import argparse
import re
import socket
from asyncio import StreamReader
from ipaddress import ip_address

from greencode_lsp.errors import UserError

ANYBODY = (
    "there is no authentication and no encryption: anybody who can reach the port reads completions of your code and "
    "uses your machine"
)

HEADER = re.compile(rb"[A-Za-z-]+[ \t]*:")
"""How a message of LSP begins. An HTTP request begins with a method, a blank and an address."""

LONGEST_FIRST_LINE = 2**10
"""Bytes."""


def host_and_port(text: str) -> tuple[str, int]:
    """Read HOST:PORT, with an IPv6 address in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listening_addresses(host: str, port: int, allow_remote: bool) -> list[str]:
    """Return the addresses to listen on; raise `UserError` where another machine could reach one of them unasked.

    What a name stands for is looked up once, here: the addresses that were checked are those that are listened on.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--tcp: {host} is no address of this machine ({error}): use 127.0.0.1:{port}") from error
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    remote = [address for address in addresses if not ip_address(address).is_loopback]
    if remote and not allow_remote:
        raise UserError(
            f"--tcp: {host} ({remote[0]}) can be reached from other machines, and {ANYBODY}; "
            f"use 127.0.0.1:{port}, or add --allow-remote if that is what you want"
        )
    return addresses


async def first_bytes(reader: StreamReader) -> bytes:
    """Return what a client sends first, b"" where it does not speak LSP.

    A web page may send what it likes to a port of the machine that it is read on. A browser puts an HTTP request line
    before it, and nothing behind such a line is read.
    """
    read = b""
    while chunk := await reader.read(LONGEST_FIRST_LINE):
        read += chunk
        if HEADER.match(read):
            return read
        if b"\n" in read or len(read) >= LONGEST_FIRST_LINE:
            break
    return b""
