"""The fast CPU runner: weights packed in 4 or 8 bits, layers in one call of compiled code."""

from greencode_lsp.engine.packed.backbone import PackedBackbone, load_packed
from greencode_lsp.engine.packed.library import KernelUnavailableError

__all__ = ["KernelUnavailableError", "PackedBackbone", "load_packed"]
