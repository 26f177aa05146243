"""The kernel's numeric tests with a kernel that sees every read and write outside of what it was given."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greencode_lsp.engine.packed import library
from tests.engine import test_kernel
from tests.fuzz.sanitized import instruction_sets, sanitized_environment, sanitizer_libraries
from tests.fuzz.verdicts import SANITIZER
from tests.waiting import HANG_SECONDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sanitizer_libraries(), reason="the C compiler has no sanitizers"),
]

NUMERIC = ("test_packed.py", "test_packed_limits.py", "test_packing.py", "test_shortlist.py", "test_drafter.py")

SETS = instruction_sets()


@pytest.mark.parametrize("instructions", SETS)
def test_the_numeric_tests_pass_under_the_sanitizers(instructions: str, tmp_path: Path) -> None:
    tests = [str(Path(test_kernel.__file__).with_name(name)) for name in NUMERIC]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "tests"), *tests]
    ended = subprocess.run(
        command,
        env=os.environ | sanitized_environment(instructions),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert not SANITIZER.search(said), said[-5000:]
    assert ended.returncode == 0, said[-5000:]


@pytest.mark.parametrize("instructions", SETS)
def test_the_kernels_program_computes_the_same_under_the_sanitizers(
    instructions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # the program ends without freeing what it has drawn
    flags = next(one.flags for sets in library.INSTRUCTION_SETS.values() for one in sets if one.name == instructions)
    compiler = library.find_compiler()
    assert compiler is not None
    lines = test_kernel.printed(compiler, (*flags, *library.SANITIZING), (), tmp_path, threads=2)
    exact = [line for line in lines if not line.startswith(test_kernel.BY_LIBRARY)]
    assert hashlib.sha256("\n".join(exact).encode()).hexdigest() == test_kernel.EXPECTED


@pytest.mark.parametrize("instructions", SETS[:1])
def test_the_sanitizers_see_a_read_outside(instructions: str) -> None:
    """Without this, the tests above could pass with nothing watched."""
    read = (
        "import ctypes, torch\n"
        "from greencode_lsp.engine.packed.library import load_library\n"
        "library, small = load_library(), torch.zeros(16)\n"
        "library.score_policy(*[small.data_ptr()] * 4)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", read],
        env=os.environ | sanitized_environment(instructions),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert ended.returncode != 0
    assert SANITIZER.search(ended.stderr), ended.stderr[-2000:]
