"""Decoding at every exit's depth beside full depth and transformers: what leaving early is worth on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from greencode_lsp.completion.metering import WINDOW_SECONDS
from greencode_lsp.completion.suggestion import Report
from greencode_lsp.energy import Meter
from greencode_lsp.engine import EarlyExitModel, Request, Runner, Session, generate
from greencode_lsp.engine.cuda import CudaRunner
from greencode_lsp.evaluation.benchmark.bandwidth import Bandwidth, measure_bandwidth
from greencode_lsp.evaluation.benchmark.gauge import Gauge
from greencode_lsp.evaluation.benchmark.random_models import ModelShape, random_model
from greencode_lsp.evaluation.benchmark.transformers_peers import TransformersPeer
from greencode_lsp.policy import NeverExit, Policy, Reading, Verdict
from greencode_lsp.policy.learned import PolicyFile, PolicyNetwork

NETWORK_WIDTH = 64

PEER_RUNS = 3


@dataclass(frozen=True)
class DepthRow:
    """Medians of decoding one token after another at one depth, in layers.

    `bytes` are those of the weights a token reads, `bandwidth_share` is how much of the measured read bandwidth reading
    them in this time comes to, `times_transformers` is the speed over that of transformers.
    """

    engine: str
    depth: int
    ms_per_token: float
    joules_per_token: float | None
    source: str | None
    bytes: int
    gb_per_s: float
    bandwidth_share: float
    times_transformers: float


class FixedDepth:
    """Asks a network as a learned policy does, and exits at one depth whatever it says."""

    def __init__(self, network: PolicyNetwork, layer: int) -> None:
        self.network, self.layer = network, layer

    def decide(self, reading: Reading) -> Verdict:
        """Pay for the scores, and forget them."""
        self.network.scores(reading.exit_index, reading.hidden)
        return Verdict.EXIT if reading.exit_layer >= self.layer else Verdict.CONTINUE


def measure_depths(
    shape: ModelShape,
    device: str,
    dtype: str,
    meter: Meter,
    prompt_tokens: int,
    tokens: int,
    window_seconds: float | None = None,
    report: Report = lambda stage, done, total: None,
) -> tuple[Bandwidth, list[DepthRow]]:
    """Measure a shape with random weights on the GPU runner: every exit, full depth with and without exits, and a peer.

    `dtype` is the name of torch's number format. Raises `UserError` where transformers is missing.
    """
    bandwidth = measure_bandwidth(device)
    window = WINDOW_SECONDS[meter.source] if window_seconds is None else window_seconds
    report("loading", 0, 1)
    reference, plain = random_model(shape, device, getattr(torch, dtype))
    runner = CudaRunner(plain)
    network = runner.scorer(random_network(shape.exits, plain.shape.hidden_size))
    layers = plain.shape.layers
    prompt = torch.randint(plain.shape.vocabulary_size, (prompt_tokens,)).tolist()
    segmented = EarlyExitModel(runner, shape.exits)
    plans: list[tuple[str, EarlyExitModel, int, Policy]] = [
        *(("exit", segmented, depth, FixedDepth(network, depth)) for depth in shape.exits),
        ("full, with policy", segmented, layers, FixedDepth(network, layers)),
        ("full, one segment", EarlyExitModel(runner), layers, NeverExit()),
    ]
    peer_seconds, peer_joules = decode_peer(TransformersPeer(reference, Gauge(meter)), prompt, tokens)
    measured = [("transformers", layers, peer_seconds, peer_joules)]
    for done, (engine, model, depth, policy) in enumerate(plans):
        report("decoding", done, len(plans))
        measured.append((engine, depth, *decode(Session(model), Request(prompt, tokens, policy), meter, window)))
    report("decoding", len(plans), len(plans))
    return bandwidth, [
        row_of(runner, engine, depth, seconds, joules, meter.source, bandwidth, peer_seconds)
        for engine, depth, seconds, joules in measured
    ]


def decode(session: Session, request: Request, meter: Meter, window: float) -> tuple[float, float | None]:
    """Return the median seconds and the mean joules of a token; the prompt but its last token has run before."""
    generate(session, request)
    spans: list[float] = []
    before, begun = meter.read_joules(), time.perf_counter()
    while not spans or time.perf_counter() - begun < window:
        started = time.perf_counter()
        generate(session, request)
        spans.append(time.perf_counter() - started)
    joules = meter.read_joules() - before
    # A counter that stood still has told nothing.
    return median(spans) / request.max_tokens, joules / request.max_tokens / len(spans) if joules > 0 else None


def decode_peer(peer: TransformersPeer, prompt: list[int], tokens: int) -> tuple[float, float | None]:
    """Return the median seconds and joules of a token; the prompt does not count."""
    peer.run(prompt, tokens)
    runs = [peer.run(prompt, tokens) for _ in range(PEER_RUNS)]
    seconds = median(run.decode.seconds / run.decoded for run in runs)
    joules = [run.decode.joules / run.decoded for run in runs if run.decode.joules is not None]
    return seconds, median(joules) if joules else None


def random_network(exits: tuple[int, ...], hidden_size: int) -> PolicyNetwork:
    """Return a policy's network of the usual size that says anything."""
    random, count = np.random.default_rng(0), len(exits)
    width = NETWORK_WIDTH
    sizes = {"in": (width, hidden_size), "mid": (width, width), "out": (2, width)}
    tensors = {f"{name}.weight": random.normal(size=(count, *size)).astype(np.float32) for name, size in sizes.items()}
    tensors |= {f"{name}.bias": np.zeros((count, size[0]), np.float32) for name, size in sizes.items()}
    return PolicyNetwork(
        PolicyFile(exits, hidden_size, "random", "rms", float("inf"), np.zeros(1, np.float32), tensors)
    )


def row_of(
    runner: Runner,
    engine: str,
    depth: int,
    seconds: float,
    joules: float | None,
    source: str,
    bandwidth: Bandwidth,
    peer_seconds: float,
) -> DepthRow:
    """Describe what was measured."""
    weight_bytes = sum(map(runner.layer_bytes, range(depth))) + runner.head_bytes()
    gb_per_s = weight_bytes / seconds / 1e9
    return DepthRow(
        engine=engine,
        depth=depth,
        ms_per_token=seconds * 1000,
        joules_per_token=joules,
        source=source if joules is not None else None,
        bytes=weight_bytes,
        gb_per_s=gb_per_s,
        bandwidth_share=gb_per_s / bandwidth.read_gb_per_s,
        times_transformers=peer_seconds / seconds,
    )
