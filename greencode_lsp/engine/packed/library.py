"""The compiled kernel: built once per machine with the C compiler that is there, and kept in the cache."""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from greencode_lsp.paths import made_folder
from greencode_lsp.preparation import one_at_a_time
from greencode_lsp.processor import cpu_flags
from greencode_lsp.reading import UnreadableFileError, read_bytes

log = logging.getLogger(__name__)

SOURCES = Path(__file__).with_name("kernel")

FLAGS = ("-O3", "-std=gnu11", "-ffp-contract=off", "-pthread", "-shared", "-fPIC")


SANITIZE_VARIABLE = "GREENCODE_SANITIZE"
"""Compiles the kernel with sanitizers, for tests: `1`, or the name of the instruction set to use. See docs/fuzz.md."""

SANITIZING = (
    *("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    "-fwrapv",  # sums of whole numbers wrap around in vectors, as they do where states are not finite
)


@dataclass(frozen=True)
class InstructionSet:
    """What the kernel can be compiled for: its name in Linux's list, and the compiler's flags for it."""

    name: str
    flags: tuple[str, ...]


INSTRUCTION_SETS = {
    "x86_64": (
        InstructionSet("avx512_vnni", ("-march=x86-64-v4", "-mavx512vnni")),
        InstructionSet("avx_vnni", ("-march=x86-64-v3", "-mavxvnni")),
        InstructionSet("avx2", ("-march=x86-64-v3",)),
    ),
    "aarch64": (InstructionSet("asimddp", ("-march=armv8.2-a+dotprod",)),),
}
"""By machine, the fastest first."""

ALIASES = {"AMD64": "x86_64", "arm64": "aarch64"}

COMPILE_SECONDS, SANITIZED_COMPILE_SECONDS = 120, 540
"""Sanitizers make the compiler's work many times as long, on a busy machine some minutes."""


class KernelUnavailableError(Exception):
    """The fast runner does not work here. The message says why; the plain one does."""


class CompilingError(Exception):
    """The kernel cannot be compiled for a set of instructions; the message goes behind a colon."""


@cache
def load_library() -> ctypes.CDLL:
    """Return the kernel for the fastest instructions of this machine, compiled now if it is not in the cache.

    Raises `KernelUnavailableError` in one line.
    """
    problem = f"this {platform.machine()} processor has none of AVX2, AVX-512 VNNI, and NEON with dot products"
    for one in possible_sets():
        try:
            library = ctypes.CDLL(str(compiled(one.flags)))
        except OSError as error:
            problem = f"it cannot be loaded: {error}"
            continue
        except CompilingError as error:
            problem = str(error)
            continue
        if library.supported():
            declare(library)
            return library
    raise KernelUnavailableError(f"the fast CPU kernel does not run here: {problem}")


def possible_sets() -> list[InstructionSet]:
    """Return the sets that this machine may have, the fastest first; without Linux's list only the kernel knows."""
    listed = cpu_flags()
    sets = INSTRUCTION_SETS.get(ALIASES.get(platform.machine(), platform.machine()), ())
    wanted = os.environ.get(SANITIZE_VARIABLE, "")
    if wanted in {one.name for one in sets}:
        return [one for one in sets if one.name == wanted]
    return [one for one in sets if not listed or one.name in listed]


def declare(library: ctypes.CDLL) -> None:
    """Tell ctypes what the functions take, so that plain numbers can be given: the quickest way to call."""
    number, address = ctypes.c_int64, ctypes.c_void_p
    library.instructions.restype = ctypes.c_char_p
    library.layers_bytes.restype = library.reader_bytes.restype = number
    library.layers_bytes.argtypes = (address, number, number, number, number)
    library.run_layers.restype = ctypes.c_int
    state = (address, number, number, number)  # hidden states, how many rows, where they stand, how many are read
    library.run_layers.argtypes = (address, address, number, *state, address, address, number, address, number)
    library.reader_bytes.argtypes = (address, number)
    library.run_reader.restype = ctypes.c_int
    library.run_reader.argtypes = (address, address, number, address, address, address, address, number)
    library.score_policy.restype = None
    library.score_policy.argtypes = (address, address, address, address)
    library.confirm_policy.restype = ctypes.c_float
    library.confirm_policy.argtypes = (address, address, ctypes.c_float, address)


def compiled(flags: tuple[str, ...]) -> Path:
    """Return the path of the kernel compiled with flags for a set; the name holds all that it depends on."""
    sources = [file.read_bytes() for file in sorted(SOURCES.iterdir()) if file.suffix in (".c", ".h")]
    sanitized = bool(os.environ.get(SANITIZE_VARIABLE))
    flags = (*FLAGS, *flags, *SANITIZING) if sanitized else (*FLAGS, *flags)
    key = hashlib.sha256(b"".join(sources) + " ".join(flags).encode()).hexdigest()[:16]
    folder, name = made_folder("kernels"), f"kernel-{'sanitized-' if sanitized else ''}{key}"
    if (kept := kept_library(folder, name)) is not None:
        return kept
    with one_at_a_time(f"compile-{key}", "compiles the kernel"):
        return kept_library(folder, name) or compile_to(folder, name, flags)


def compile_to(folder: Path, name: str, flags: tuple[str, ...]) -> Path:
    """Compile the kernel into a file whose name begins with `name`; raise `CompilingError` where that cannot be."""
    log.info("compiling the kernel to %s", folder)
    compiler = find_compiler()
    if compiler is None:
        raise CompilingError("it needs a C compiler: install gcc or clang")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{name}.{os.getpid()}"
        command = [compiler, *flags, "-o", str(aside), str(SOURCES / "kernel.c"), "-lm"]
        limit = SANITIZED_COMPILE_SECONDS if os.environ.get(SANITIZE_VARIABLE) else COMPILE_SECONDS
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=limit)
        path = folder / f"{name}-{digest_of(aside)}.so"
        aside.replace(path)
    except subprocess.CalledProcessError as error:
        first = next(iter(error.stderr.strip().splitlines()), "no message")
        raise CompilingError(f"{compiler} cannot compile it: {first}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilingError(f"it cannot be compiled: {error}") from error
    return path


def kept_library(folder: Path, name: str) -> Path | None:
    """Return the library of that name in a folder, None where there is none as it was written.

    Its own digest is part of its file's name: running one in which a bit has changed could do anything.
    """
    for path in folder.glob(f"{name}-*.so"):
        problem = "it has changed"
        try:
            if path.stem.rpartition("-")[2] == digest_of(path):
                return path
        except (OSError, UnreadableFileError) as error:
            problem = str(error)
        log.warning("%s cannot be used and is compiled anew: %s", path, problem)
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return None


def digest_of(path: Path) -> str:
    """Return the beginning of the sha256 of a compiled kernel, which has some 100 kB."""
    return hashlib.sha256(read_bytes(path)).hexdigest()[:16]


def find_compiler() -> str | None:
    """Return the path of this machine's C compiler, None where there is none."""
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
