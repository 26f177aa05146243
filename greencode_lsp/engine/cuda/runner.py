"""A backbone whose short runs are CUDA graphs: the same interface as the plain one."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.cuda.buckets import MOST_ROWS
from greencode_lsp.engine.cuda.buffers import Buffers
from greencode_lsp.engine.cuda.embedding import StaticEmbedding
from greencode_lsp.engine.cuda.exchange import Exchange
from greencode_lsp.engine.cuda.graphs import Graphs
from greencode_lsp.engine.cuda.reader import StaticReader
from greencode_lsp.engine.cuda.segment import StaticSegment
from greencode_lsp.engine.drafts.drafter import Drafter, DraftNetwork
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.kv_map import KvFiller, KvMap
from greencode_lsp.policy.learned import PolicyNetwork

CAPACITY = 4096
"""Rows of K/V that every segment has from the start."""


class CudaRunner:
    """A plain backbone's weights, run from static memory. Used from one thread and one stream only.

    `graphs` says how to repeat computations: by default as CUDA graphs on a GPU, and as they are elsewhere.
    """

    def __init__(self, plain: Backbone, graphs: Graphs | None = None, capacity: int = CAPACITY) -> None:
        self.shape, self._plain, self._capacity = plain.shape, plain, capacity
        self._graphs = graphs or Graphs(plain.device, enabled=plain.device.type == "cuda")
        self._buffers = Buffers(plain)
        self._exchange = Exchange(plain.device, asks=2, answers=3, dtype=torch.float32)
        self._embedding = StaticEmbedding(plain, self._buffers, self._graphs)
        self._segments: dict[range, StaticSegment] = {}
        self._network: PolicyNetwork | None = None
        self._answered: tuple[Tensor, bool] | None = None  # the output that answers are about, and if they hold scores

    @property
    def device(self) -> torch.device:
        """Where hidden states are."""
        return self._plain.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of weights, hidden states and K/V."""
        return self._plain.dtype

    @property
    def description(self) -> str:
        """What people may want to know: how the weights are held."""
        how = "CUDA graphs" if self._graphs.enabled else "static K/V without graphs"
        return f"{how}, {str(self.dtype).removeprefix('torch.')}"

    @torch.no_grad()
    def embed(self, tokens: list[int], start: int) -> Tensor:
        """Return the hidden states [rows, hidden] that enter layer 1 for tokens at positions from `start`."""
        if 0 < len(tokens) <= MOST_ROWS:
            return self._embedding.embed(tokens, start)
        return self._plain.embed(tokens, start)

    def new_cache(self, layers: int) -> Cache:
        """Return an empty cache for that many neighbouring layers; it moves into static memory when it first runs."""
        return self._plain.new_cache(layers)

    @torch.no_grad()
    def run_layers(self, layers: range, hidden: Tensor, start: int, cache: Cache, read: int | None = None) -> Tensor:
        """Run layers (0-based) on hidden [rows, hidden] at positions from `start`; return what they make of them.

        `cache` holds the K/V of these layers for all earlier positions; the rows' own are written. All rows run through
        all of these layers, however many are `read`.
        """
        segment = self._segment(layers)
        if not 0 < len(hidden) <= MOST_ROWS:
            return segment.run_wide(hidden, start, cache)
        output = segment.run(hidden, start, cache)
        self._answered = output, segment.is_judged
        return output

    def all_finite(self, hidden: Tensor) -> bool:
        """Say whether no number of hidden states is NaN or infinite; for the last output it is known already."""
        if self._answered is not None and self._answered[0] is hidden:
            return math.isfinite(self._exchange.answers()[0])
        return self._plain.all_finite(hidden)

    def scorer(self, network: PolicyNetwork) -> PolicyNetwork:
        """Have a policy's network run within every segment; return one that knows what it said.

        What was captured before is captured anew.
        """
        self._network = network
        for segment in self._segments.values():
            segment.judge(network)
        return ForeseeingNetwork(network, self._known_scores)

    def logits(self, hidden: Tensor) -> Tensor:
        """Read hidden states [rows, hidden] through the final norm and the head: [rows, vocabulary]."""
        return self._plain.logits(hidden)

    def reader(self, head: ExitHead | None = None) -> StaticReader:
        """Return what reads hidden states, through an exit's own head or as full depth does."""
        return StaticReader(self._plain, head, self._buffers, self._graphs)

    def drafter(self, network: DraftNetwork) -> Drafter | None:
        """Return nothing: what a draft is worth on a GPU has not been measured."""
        return None

    def filler(self, found: KvMap) -> KvFiller | None:
        """Return nothing: a GPU computes a prompt's rows in no time, and K/V are not filled there."""
        return None

    def layer_bytes(self, index: int) -> int:
        """Return how many bytes of weights layer `index` (0-based) reads, however many rows it runs on."""
        return self._plain.layer_bytes(index)

    @property
    def unread_share(self) -> float:
        """What a row that is not read costs in the last layer, as a share of one that is."""
        return self._plain.unread_share

    def head_bytes(self) -> int:
        """Return how many bytes of weights the head reads."""
        return self._plain.head_bytes()

    def _segment(self, layers: range) -> StaticSegment:
        if layers not in self._segments:
            segment = StaticSegment(self._plain, layers, self._buffers, self._exchange, self._graphs, self._capacity)
            segment.judge(self._network)
            self._segments[layers] = segment
        return self._segments[layers]

    def _known_scores(self, state: Tensor) -> tuple[float, float] | None:
        """Return the scores for exiting and giving up of a state [hidden], where it is the last output's last row."""
        if self._answered is None:
            return None
        output, judged = self._answered
        if not judged or state.data_ptr() != output[-1].data_ptr():
            return None
        _, exit_score, stop_score = self._exchange.answers()
        return exit_score, stop_score


class ForeseeingNetwork(PolicyNetwork):
    """A policy's network that has been run on the newest state before anyone asks; other states it scores itself."""

    def __init__(self, network: PolicyNetwork, known: Callable[[Tensor], tuple[float, float] | None]) -> None:
        super().__init__(network.file)
        self._known = known

    def scores(self, exit_index: int, hidden: Tensor) -> tuple[float, float]:
        """Return the scores for exiting and for giving up of a state [hidden] behind an exit."""
        return self._known(hidden) or super().scores(exit_index, hidden)
