"""From hidden states to tokens: an exit's translator, a norm, and the head all exits share."""

import ctypes

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Linear, Norm
from greencode_lsp.engine.errors import EngineError, NumericalError
from greencode_lsp.engine.exits import ExitHead, Translator
from greencode_lsp.engine.packed.library import load_library
from greencode_lsp.engine.packed.packing import GROUP, pack_coarsely
from greencode_lsp.engine.packed.structures import CMlp, CReader, CShape, describe_linear, describe_mlp, describe_norm
from greencode_lsp.engine.packed.weights import PackedLinear, PackedWeights
from greencode_lsp.engine.packed.workspace import Workspace

CANDIDATES = 32
"""Blocks of 16 tokens that are read exactly. On 17,539 tokens of code the right one was never beyond the 15th."""


class PackedReader:
    """Reads hidden states behind one exit, or behind the last layer. Used from one thread only."""

    def __init__(
        self,
        architecture: Architecture,
        weights: PackedWeights,
        shape: CShape,
        workspace: Workspace,
        head: ExitHead | None,
    ) -> None:
        self._library, self._workspace = load_library(), workspace
        self._vocabulary, self._outputs = architecture.vocabulary_size, weights.head.weight.outputs
        norm = weights.final_norm if head is None else in_floats(head.norm)
        translator = None if head is None or head.translator is None else head.translator
        self.translator_bytes = 0
        self._kept: list[object] = [weights, norm]  # what C structures point at must live as long as they do
        self._reader = CReader(
            ctypes.pointer(shape),
            ctypes.pointer(self._packed(translator)) if translator else None,
            describe_norm(norm),
            ctypes.pointer(describe_linear(weights.head)),
            ctypes.pointer(describe_linear(weights.screen or weights.head)),
            architecture.vocabulary_size,
            CANDIDATES if weights.screen else 1,
        )

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits [rows, vocabulary] of hidden states [rows, hidden]."""
        logits = torch.empty(len(hidden), self._outputs)
        self._run(hidden, logits.data_ptr(), None)
        return logits[:, : self._vocabulary]

    def most_likely(self, hidden: Tensor) -> Tensor:
        """Return the ids [rows] of the most likely tokens; raise `NumericalError` where no logit is a number."""
        ids = torch.empty(len(hidden), dtype=torch.long)
        self._run(hidden, None, ids.data_ptr())
        if int(ids.min()) < 0:
            raise NumericalError("a logit is NaN")
        return ids

    def _run(self, hidden: Tensor, logits: int | None, ids: int | None) -> None:
        changed = hidden.clone(memory_format=torch.contiguous_format)
        reader, rows = ctypes.byref(self._reader), hidden.shape[0]
        room = self._workspace.reserve(self._library.reader_bytes(reader, rows))
        threads = torch.get_num_threads()
        self._library.run_reader(reader, changed.data_ptr(), rows, logits, ids, room, threads)

    def _packed(self, translator: Translator) -> CMlp:
        width = translator.mlp_out.weight.shape[1]
        if width % GROUP:
            raise EngineError(f"a translator is {width} wide; this runner needs a multiple of {GROUP}")
        mlp_in, mlp_out = coarse(translator.mlp_in), coarse(translator.mlp_out)
        norm = in_floats(translator.mlp_norm)
        self.translator_bytes = mlp_in.weight.byte_count + mlp_out.weight.byte_count
        self._kept += [norm, mlp_in, mlp_out]
        return describe_mlp(norm, mlp_in, mlp_out)


def coarse(plain: Linear) -> PackedLinear:
    """Pack a translator's map in 4 bits."""
    return PackedLinear(pack_coarsely(plain.weight), None if plain.bias is None else plain.bias.float().contiguous())


def in_floats(norm: Norm) -> Norm:
    """Return a norm in float32, as the kernel reads it."""
    return Norm(norm.weight.float().contiguous(), None if norm.bias is None else norm.bias.float().contiguous())
