"""The kernel on every processor that it is written for: the same numbers to the bit."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from greencode_lsp import processor
from greencode_lsp.engine.packed import library

PROGRAM = Path(__file__).parent / "kernel" / "numbers.c"

EXPECTED = "501cb3e7164293191124df40d1e993263f5e3296a5b047ef9b9fab6a35d2aa93"
"""Of what the program prints, without what the C library has a part in."""

BY_LIBRARY = ("probability", "score")

NEAR = [
    0.008940839,
    0.009017013,
    0.006868541,
    0.006730061,
    0.009138145,
    0.00731531,
    0.007194126,
    0.007791819,
    0.006773019,
    0.007891041,
    0.06127753,
    -0.08233195,
]

LACKS_INSTRUCTIONS = 3

AVX512, AVX_VNNI, AVX2 = (one.flags for one in library.INSTRUCTION_SETS["x86_64"])
(NEON,) = (one.flags for one in library.INSTRUCTION_SETS["aarch64"])

WAYS = [
    pytest.param(compiler, flags, run, id=f"{name}-{compiler}")
    for name, flags, compiler, run in (
        *(("avx512", AVX512, compiler, ()) for compiler in ("gcc", "clang")),
        *(("avx-vnni", AVX_VNNI, compiler, ()) for compiler in ("gcc", "clang")),
        *(("avx2", AVX2, compiler, ()) for compiler in ("gcc", "clang")),
        ("neon", NEON, "cc", ()),
        ("neon", (*NEON, "-static"), "aarch64-linux-gnu-gcc", ("qemu-aarch64-static",)),
    )
]


@pytest.mark.parametrize(("compiler", "flags", "run"), WAYS)
def test_it_computes_the_same_to_the_bit(
    compiler: str, flags: tuple[str, ...], run: tuple[str, ...], tmp_path: Path
) -> None:
    lines = printed(compiler, flags, run, tmp_path)
    exact = [line for line in lines if not line.startswith(BY_LIBRARY)]
    assert hashlib.sha256("\n".join(exact).encode()).hexdigest() == EXPECTED
    assert printed(compiler, flags, run, tmp_path, threads=3) == lines
    near = [float.fromhex(line.split()[1]) for line in lines if line.startswith(BY_LIBRARY)]
    assert near == pytest.approx(NEAR, rel=1e-5)


def printed(compiler: str, flags: tuple[str, ...], run: tuple[str, ...], folder: Path, threads: int = 1) -> list[str]:
    """Compile the program and return what it prints; skip where there is no such compiler or processor."""
    for needed in (compiler, *run):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    program = folder / "numbers"
    built = [compiler, *(flag for flag in library.FLAGS if flag not in ("-shared", "-fPIC")), *flags]
    command = [*built, "-I", str(library.SOURCES), "-o", str(program), str(PROGRAM), "-lm"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode and any(flag.partition("=")[0] in made.stderr for flag in flags):
        pytest.skip(f"{compiler} does not compile for this kind of processor")
    assert made.returncode == 0, made.stderr
    ended = subprocess.run([*run, str(program), str(threads)], capture_output=True, text=True, check=False)
    if ended.returncode == LACKS_INSTRUCTIONS:
        pytest.skip("this processor lacks the instructions")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_the_sets_that_linux_lists_are_tried_the_fastest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    monkeypatch.setattr(library, "cpu_flags", lambda: frozenset({"sse2", "avx2", "avx_vnni"}))
    assert [one.name for one in library.possible_sets()] == ["avx_vnni", "avx2"]
    monkeypatch.setattr(library, "cpu_flags", frozenset)  # no Linux, no list
    assert [one.name for one in library.possible_sets()] == ["avx512_vnni", "avx_vnni", "avx2"]
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert library.possible_sets() == []


@pytest.mark.skipif("avx2" not in processor.cpu_flags(), reason="needs a processor with AVX2")
def test_a_compiler_that_does_not_know_a_set_compiles_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\ncase "$*" in *mavxvnni*) echo no such option >&2; exit 1; esac\nexec gcc "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path))
    monkeypatch.setattr(library, "cpu_flags", lambda: frozenset({"avx2", "avx_vnni"}))
    library.load_library.cache_clear()
    try:
        assert library.load_library().instructions() == b"AVX2"
    finally:
        library.load_library.cache_clear()


@pytest.mark.parametrize(("machine", "field"), [("aarch64", "Features"), ("x86_64", "flags")])
def test_linux_lists_instructions_under_a_name_of_each_machine(
    machine: str, field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = tmp_path / "cpuinfo"
    listing.write_text(f"processor\t: 0\n{field}\t\t: fp asimd asimddp\n\nprocessor\t: 1\n{field}\t\t: other\n")
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(processor, "CPU_INFO", listing)
    assert processor.cpu_flags() == {"fp", "asimd", "asimddp"}
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "none")
    assert processor.cpu_flags() == frozenset()


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in processor.cpu_flags(), reason="needs a processor with AVX2")
@pytest.mark.parametrize("damage", ["a flipped bit", "cut off", "a folder"])
def test_a_kept_kernel_that_is_damaged_is_compiled_anew(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path))
    path = library.compiled(AVX2)
    content = path.read_bytes()
    if damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(
            content[:5000] + bytes([content[5000] ^ 1]) + content[5001 : None if "bit" in damage else 9000]
        )
    assert library.compiled(AVX2).read_bytes() == content
    (said,) = caplog.messages
    assert str(path) in said and "compiled anew" in said
    assert library.compiled(AVX2) == path
