"""Whom the server listens to on TCP: a real process, and connections of several kinds."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from greencode_lsp.errors import UserError
from greencode_lsp.server.listening import listening_addresses
from tests.lsp.conftest import SERVER
from tests.lsp.test_protocol import INITIALIZE
from tests.lsp.test_robustness import frame, read_message, start
from tests.waiting import HANG_SECONDS

GREETING = frame("initialize", INITIALIZE, 1)
END = frame("shutdown", None, 2) + frame("exit", None)

BODY = b"x" * 10 + GREETING + frame("initialized", {}) + END
HTTP = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
PROXIED = b"POST http://localhost:1/ HTTP/1.1\r\nHost: localhost\r\n\r\n" + BODY


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def listening_on(process: subprocess.Popen[bytes], port: int) -> set[str]:
    """Return the addresses that a process listens on once a connection to the port on this machine succeeds."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert process.poll() is None
            continue
        connections = psutil.Process(process.pid).net_connections("tcp")
        return {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}


@contextmanager
def serving(data: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = start(data, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def refused(*arguments: str) -> str:
    """Return the one line with which a server ends that was started so."""
    ended = subprocess.run([*SERVER, *arguments], capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_what_other_machines_can_reach_is_refused_with_what_it_would_mean(host: str) -> None:
    line = refused("--tcp", f"{host}:2087")
    assert line.startswith("greencode-lsp: --tcp: ")
    for said in ("other machines", "no authentication and no encryption", "127.0.0.1:2087", "--allow-remote"):
        assert said in line


def test_a_host_that_is_none_is_refused_in_one_line() -> None:
    assert "no-such-host.invalid is no address of this machine" in refused("--tcp", "no-such-host.invalid:2087")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_this_machine_only_loopback_is_listened_on(tmp_path: Path, host: str) -> None:
    port = free_port()
    with serving(tmp_path, "--tcp", f"{host}:{port}") as process:
        found = listening_on(process, port)
    assert "127.0.0.1" in found
    assert found <= {"127.0.0.1", "::1"}


def test_with_the_flag_other_machines_are_listened_to(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, "--tcp", f"0.0.0.0:{port}", "--allow-remote") as process:
        assert listening_on(process, port) == {"0.0.0.0"}


def test_the_help_says_what_the_flag_means() -> None:
    said = subprocess.run([*SERVER, "--help"], capture_output=True, text=True, timeout=HANG_SECONDS, check=True).stdout
    assert "no authentication and no encryption: anybody who can reach the port" in " ".join(said.split())


def test_a_name_with_one_remote_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 1)) for address in ("127.0.0.1", "192.0.2.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: found)
    with pytest.raises(UserError, match=r"both \(192\.0\.2\.7\) can be reached"):
        listening_addresses("both", 1, allow_remote=False)
    assert listening_addresses("both", 1, allow_remote=True) == ["127.0.0.1", "192.0.2.7"]


@pytest.mark.parametrize("begun", [HTTP, PROXIED, b"\x16\x03\x01\x02\x00\x01" + b"\0" * 2000, b"x" * 5000])
def test_a_web_page_gets_no_answer_and_the_editor_after_it_does(tmp_path: Path, begun: bytes) -> None:
    port = free_port()
    with serving(tmp_path, "--tcp", f"127.0.0.1:{port}") as process:
        connection = connect(process, port)
        with connection, connection.makefile("rb") as stream:
            connection.sendall(begun)
            with suppress(ConnectionResetError):  # closed with some of it unread
                assert stream.read() == b""
        connection = connect(process, port)
        with connection, connection.makefile("rb") as stream:
            for byte in GREETING[:20]:
                connection.sendall(bytes([byte]))
            connection.sendall(GREETING[20:] + END)
            assert "capabilities" in read_message(stream)["result"]
        assert process.wait(HANG_SECONDS) == 0


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "greencode_lsp.server", "--tcp", f"127.0.0.1:{taken.getsockname()[1]}"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "cannot be listened on, choose another" in line


def connect(process: subprocess.Popen[bytes], port: int) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert process.poll() is None
