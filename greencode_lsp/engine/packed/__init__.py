"""The fast CPU runner: weights packed in 4 or 8 bits, layers in one call of compiled code."""

from greencode_lsp.engine.packed.backbone import PackedBackbone, load_packed
from greencode_lsp.engine.packed.library import KernelUnavailableError, find_compiler, load_library
from greencode_lsp.engine.packed.store import verify_packed

__all__ = [
    "KernelUnavailableError",
    "PackedBackbone",
    "find_compiler",
    "load_library",
    "load_packed",
    "verify_packed",
]
