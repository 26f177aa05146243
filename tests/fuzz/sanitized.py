"""The environment in which a process runs the kernel with sanitizers, where the compiler and the processor can."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from greencode_lsp.engine.packed import library

OPTIONS = {
    # Python and torch keep memory until they end. A fault ends the process, so that it is seen in any of them.
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def sanitizer_library() -> Path | None:
    """Return the address sanitizer's library of this machine's compiler, None where it has none."""
    if (compiler := library.find_compiler()) is None:
        return None
    asked = [compiler, "-print-file-name=libasan.so"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return Path(said) if os.path.isabs(said) and Path(said).is_file() else None


def sanitized_environment(instructions: str = "1") -> dict[str, str]:
    """Return the variables for a sanitized kernel with some set of instructions, none where that cannot be."""
    found = sanitizer_library()
    if found is None:
        return {}
    return {library.SANITIZE_VARIABLE: instructions, "LD_PRELOAD": str(found), **OPTIONS}


def testable_sets() -> list[str]:
    """Return the names of the instruction sets that this machine's kernel can be tested with."""
    return [one.name for one in library.possible_sets()]
