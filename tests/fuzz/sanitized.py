"""The environment in which a process runs the kernel with sanitizers, where the compiler and the processor can."""

from __future__ import annotations

import os
import subprocess

from greencode_lsp.engine.packed import library

OPTIONS = {
    # Python and torch keep memory until they end. Freed memory is watched for a short time only: an attempt takes a
    # third of the time then.
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1:"
    "quarantine_size_mb=8:thread_local_quarantine_size_kb=16:malloc_context_size=5",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


LOADED_FIRST = ("libasan.so", "libstdc++.so.6")
"""The second one, too, is loaded before all others: the sanitizer must find there what throws torch's exceptions."""


def sanitizer_libraries() -> list[str]:
    """Return the paths of the sanitizer's libraries that this machine's compiler has, none where one is missing."""
    if (compiler := library.find_compiler()) is None:
        return []
    asked = ([compiler, f"-print-file-name={name}"] for name in LOADED_FIRST)
    said = [subprocess.run(one, capture_output=True, text=True, check=False).stdout.strip() for one in asked]
    return said if all(os.path.isabs(path) and os.path.isfile(path) for path in said) else []


def sanitized_environment(instructions: str = "1") -> dict[str, str]:
    """Return the variables for a sanitized kernel with some set of instructions, none where that cannot be."""
    found = sanitizer_libraries()
    if not found:
        return {}
    return {library.SANITIZE_VARIABLE: instructions, "LD_PRELOAD": " ".join(found), **OPTIONS}


def instruction_sets() -> list[str]:
    """Return the names of the instruction sets that this machine's kernel can be tested with."""
    return [one.name for one in library.possible_sets()]
