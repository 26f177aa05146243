"""llama.cpp as a peer, through llama-cpp-python, on the very file that the bundle was converted from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from greencode_lsp.errors import UserError
from greencode_lsp.evaluation.benchmark.decoding import Run
from greencode_lsp.evaluation.benchmark.gauge import Gauge
from greencode_lsp.models.cache import SOURCE_GGUF
from greencode_lsp.processor import cpu_flags

AVX512 = {
    "avx512f": "GGML_AVX512",
    "avx512_vbmi": "GGML_AVX512_VBMI",
    "avx512_vnni": "GGML_AVX512_VNNI",
    "avx512_bf16": "GGML_AVX512_BF16",
}
"""llama.cpp's build option for each flag of Linux's list."""


class LlamaCppPeer:
    """A GGUF file in llama.cpp, on the CPU. Logits are computed for the last token only."""

    name = "llama.cpp"
    profile: str | None = None

    def __init__(self, folder: Path, threads: int, context: int, flash_attention: bool, gauge: Gauge) -> None:
        self.detail = "flash attention" if flash_attention else "no flash attention"
        self.source = gauge.source
        self._gauge = gauge
        self._library = import_library()
        gguf = folder / SOURCE_GGUF
        if not gguf.is_file():
            raise UserError(f"the peer llama.cpp needs the model as GGUF, and {gguf} does not exist")
        self._model = self._library.Llama(
            str(gguf),
            n_ctx=context,
            n_threads=threads,
            n_threads_batch=threads,
            flash_attn=flash_attention,
            verbose=False,
        )

    def run(self, prompt: Sequence[int], tokens: int) -> Run:
        """Decode by argmax, token by token."""
        model = self._model
        model.reset()
        begun = self._gauge.read()
        model.eval(list(prompt))
        ids = [self._most_likely()]
        started = self._gauge.read()
        while len(ids) < tokens:
            model.eval(ids[-1:])
            ids.append(self._most_likely())
        decode = self._gauge.between(started, self._gauge.read())
        return Run(ids, self._gauge.between(begun, started), len(ids) - 1, decode)

    def _most_likely(self) -> int:
        logits = self._library.llama_get_logits_ith(self._model.ctx, -1)
        return int(np.ctypeslib.as_array(logits, shape=(self._model.n_vocab(),)).argmax())


def import_library() -> Any:
    """Import llama-cpp-python; raise `UserError` with the command that builds it for this machine."""
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError(
            "the peer llama.cpp needs llama-cpp-python built on this machine, run: "
            f'CMAKE_ARGS="{build_options(cpu_flags())}" pip install --no-cache-dir --no-binary llama-cpp-python '
            "llama-cpp-python"
        ) from error
    return llama_cpp


def build_options(flags: frozenset[str]) -> str:
    """Return the options to build llama.cpp with for a CPU with these flags.

    "Native" takes all that the CPU has. That includes AMX, whose path can crash in a virtual machine and which cannot
    be switched off beside it: there the other instruction sets are named one by one.
    """
    if "amx_tile" not in flags:
        return "-DGGML_NATIVE=ON"
    return " ".join(["-DGGML_NATIVE=OFF", *(f"-D{option}=ON" for flag, option in AVX512.items() if flag in flags)])
