"""From hidden states to tokens: an exit's translator, a norm, and the head all exits share."""

import ctypes

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Linear, Norm
from greencode_lsp.engine.errors import EngineError, NumericalError
from greencode_lsp.engine.exits import ExitHead, Translator
from greencode_lsp.engine.grid import GROUP
from greencode_lsp.engine.packed.checking import check_done, check_linear, check_norm, check_states
from greencode_lsp.engine.packed.library import load_library
from greencode_lsp.engine.packed.packing import pack_coarsely
from greencode_lsp.engine.packed.part import PackedPart
from greencode_lsp.engine.packed.structures import (
    CLinear,
    CMlp,
    CReader,
    CShape,
    describe_linear,
    describe_mlp,
    describe_norm,
)
from greencode_lsp.engine.packed.weights import PackedLinear, PackedWeights
from greencode_lsp.engine.packed.workspace import Workspace, copied

CANDIDATES = 32
"""Blocks of 16 tokens that are read exactly. On 17,539 tokens of code the right one was never beyond the 15th."""


class PackedReader:
    """Reads hidden states behind one exit, or behind the last layer. Used from one thread only.

    `part` is what the exit's shortlist leaves of the head.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: PackedWeights,
        shape: CShape,
        workspace: Workspace,
        head: ExitHead | None,
        part: PackedPart | None,
    ) -> None:
        self._library, self._workspace = load_library(), workspace
        self._vocabulary, self._outputs = architecture.vocabulary_size, weights.head.weight.outputs
        self._architecture, self._hidden_size = architecture, architecture.hidden_size
        norm = weights.final_norm if head is None else in_floats(head.norm)
        check_norm(norm, architecture, "an exit's norm")
        translator = None if head is None or head.translator is None else head.translator
        self.translator_bytes, self.shortlist_bytes = 0, 0 if part is None else part.byte_count
        self._kept: list[object] = [weights, part, norm]  # what C structures point at must live as long as they do
        packed = ctypes.pointer(self._packed(translator)) if translator else None

        def reading(head: CLinear, screen: CLinear, tokens: int) -> CReader:
            return CReader(
                ctypes.pointer(shape),
                packed,
                describe_norm(norm),
                ctypes.pointer(head),
                ctypes.pointer(screen),
                tokens,
                CANDIDATES if weights.screen else 1,
            )

        whole, screen = describe_linear(weights.head), describe_linear(weights.screen or weights.head)
        self._reader = reading(whole, screen, architecture.vocabulary_size)
        self._part = part
        self._chooser = self._reader if part is None else reading(part.head, part.screen, part.tokens)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits [rows, vocabulary] of hidden states [rows, hidden]."""
        logits = torch.empty(len(hidden), self._outputs)
        self._run(self._reader, hidden, logits.data_ptr(), None, None)
        return logits[:, : self._vocabulary]

    def likeliest(self, hidden: Tensor, words: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """Return the ids [rows] of the most likely tokens, of the shortlist where there is one, and probabilities.

        These, [rows], are by the coarse copy of the head. Raises `NumericalError` where no logit is a number.
        """
        return self.translated(hidden, words)[:2]

    def translated(self, hidden: Tensor, words: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `likeliest` does, and what the translator made of hidden [rows, hidden]."""
        part = self._part
        if part is not None:
            part.take(words)
            self._chooser.vocabulary = part.tokens
        ids, probabilities = torch.empty(len(hidden), dtype=torch.long), torch.empty(len(hidden))
        changed = self._run(self._chooser, hidden, None, ids.data_ptr(), probabilities.data_ptr())
        if int(ids.min()) < 0:
            raise NumericalError("a logit is NaN")
        return ids if part is None else part.ids[ids], probabilities, changed

    def _run(
        self, how: CReader, hidden: Tensor, logits: int | None, ids: int | None, probabilities: int | None
    ) -> Tensor:
        check_states(hidden, self._hidden_size)
        changed = copied(hidden)
        reader, rows = ctypes.byref(how), hidden.shape[0]
        room = self._workspace.reserve(self._library.reader_bytes(reader, rows))
        threads = torch.get_num_threads()
        done = self._library.run_reader(reader, changed.data_ptr(), rows, logits, ids, probabilities, room, threads)
        check_done(done)
        return changed

    def _packed(self, translator: Translator) -> CMlp:
        width = translator.mlp_out.weight.shape[1]
        if width % GROUP:
            raise EngineError(f"a translator is {width} wide; this runner needs a multiple of {GROUP}")
        mlp_in, mlp_out = coarse(translator.mlp_in), coarse(translator.mlp_out)
        norm = in_floats(translator.mlp_norm)
        check_norm(norm, self._architecture, "a translator's norm")
        check_linear(mlp_in, mlp_in.weight.outputs, self._hidden_size, "a translator's mlp_in")
        check_linear(mlp_out, self._hidden_size, width, "a translator's mlp_out")
        self.translator_bytes = mlp_in.weight.byte_count + mlp_out.weight.byte_count
        self._kept += [norm, mlp_in, mlp_out]
        return describe_mlp(norm, mlp_in, mlp_out)


def coarse(plain: Linear) -> PackedLinear:
    """Pack a translator's map in 4 bits."""
    return PackedLinear(pack_coarsely(plain.weight), None if plain.bias is None else plain.bias.float().contiguous())


def in_floats(norm: Norm) -> Norm:
    """Return a norm in float32, as the kernel reads it."""
    return Norm(norm.weight.float().contiguous(), None if norm.bias is None else norm.bias.float().contiguous())
