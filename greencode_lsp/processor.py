"""What the operating system says of the processor."""

import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def processor_name() -> str:
    """Return the CPU's model name."""
    return described("model name") or platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """Return the instruction sets that Linux lists for the CPU, under its own names; empty elsewhere."""
    return frozenset(described("Features" if platform.machine() == "aarch64" else "flags").split())


def described(field: str) -> str:
    """Return a field of Linux's description of the first CPU, nothing elsewhere."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")
