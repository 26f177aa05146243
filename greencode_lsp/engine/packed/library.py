"""The compiled kernel: built once per machine with the C compiler that is there, and kept in the cache."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

from greencode_lsp.paths import cache_folder

SOURCES = Path(__file__).with_name("kernel")

FLAGS = ("-O3", "-std=gnu11", "-march=x86-64-v4", "-mavx512vnni", "-pthread", "-shared", "-fPIC")

COMPILE_SECONDS = 120


class KernelUnavailableError(Exception):
    """The fast runner does not work here. The message says why; the plain one does."""


@cache
def load_library() -> ctypes.CDLL:
    """Return the kernel, compiled now if it is not in the cache; raise `KernelUnavailableError` in one line."""
    if platform.machine() not in ("x86_64", "AMD64"):
        raise KernelUnavailableError(f"the fast CPU kernel needs AVX-512 VNNI, which {platform.machine()} lacks")
    try:
        library = ctypes.CDLL(str(compiled()))
    except OSError as error:
        raise KernelUnavailableError(f"the fast CPU kernel cannot be loaded: {error}") from error
    if not library.supported():
        raise KernelUnavailableError("the fast CPU kernel needs AVX-512 VNNI, which this processor lacks")
    declare(library)
    return library


def declare(library: ctypes.CDLL) -> None:
    """Tell ctypes what the functions take, so that plain numbers can be given: the quickest way to call."""
    number, address = ctypes.c_int64, ctypes.c_void_p
    library.layers_bytes.restype = library.reader_bytes.restype = number
    library.layers_bytes.argtypes = (address, number, number, number, number)
    library.run_layers.restype = ctypes.c_int
    state = (address, number, number)  # hidden states, how many rows, and where they stand
    library.run_layers.argtypes = (address, address, number, *state, address, address, number, address, number)
    library.reader_bytes.argtypes = (address, number)
    library.run_reader.restype = None
    library.run_reader.argtypes = (address, address, number, address, address, address, address, number)
    library.score_policy.restype = None
    library.score_policy.argtypes = (address, address, address, address)


def compiled() -> Path:
    """Return the path of the compiled kernel; the name holds all that it depends on."""
    sources = [file.read_bytes() for file in sorted(SOURCES.iterdir()) if file.suffix in (".c", ".h")]
    key = hashlib.sha256(b"".join(sources) + " ".join(FLAGS).encode()).hexdigest()[:16]
    folder = cache_folder() / "kernels"
    path = folder / f"kernel-{key}.so"
    if path.is_file():
        return path
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise KernelUnavailableError("the fast CPU kernel needs a C compiler: install gcc or clang")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{path.name}.{os.getpid()}"
        command = [compiler, *FLAGS, "-o", str(aside), str(SOURCES / "kernel.c"), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=COMPILE_SECONDS)
        aside.replace(path)
    except subprocess.CalledProcessError as error:
        first = next(iter(error.stderr.strip().splitlines()), "no message")
        raise KernelUnavailableError(f"{compiler} cannot compile the fast CPU kernel: {first}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelUnavailableError(f"the fast CPU kernel cannot be compiled: {error}") from error
    return path
