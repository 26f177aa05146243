"""Programs run apart, under limits, without a network."""

import pytest

from greencode_lsp.evaluation.execution.sandbox import Sandbox
from tests.waiting import HANG_SECONDS

SENDS = "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)"


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(seconds=HANG_SECONDS)


@pytest.mark.parametrize(
    ("program", "passes"),
    [
        ("assert 1 + 1 == 2", True),
        ("assert 1 + 1 == 3", False),
        ("return 1", False),
        ("import sys\nsys.exit(0)", False),
        ("import os\nos._exit(0)", False),
        ("words = bytearray(3 << 30)", False),
    ],
)
def test_only_a_program_that_comes_to_its_end_passes(sandbox, program, passes):
    assert sandbox.passes(program) is passes


def test_a_program_that_does_not_come_to_its_end_fails():
    assert not Sandbox(seconds=1).passes("while True:\n    pass")


def test_a_program_may_write_in_its_own_folder_only_a_little(sandbox):
    assert sandbox.passes("open('a', 'w').write('x')")
    assert not sandbox.passes("open('a', 'w').write('x' * (2 << 20))")


def test_there_is_no_network_with_or_without_a_namespace(sandbox):
    assert not sandbox.passes(SENDS)
    without = Sandbox(seconds=HANG_SECONDS)
    without.__dict__["namespace"] = ()
    assert "inside Python only" in without.detail
    assert without.passes(
        "import socket\ntry:\n    socket.socket()\nexcept PermissionError:\n    pass\nelse:\n    1 / 0"
    )
