"""The GPU runner on CPU tensors, its computations run as they are and recorded: the invariants, and what is its own."""

import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from greencode_lsp.engine import EarlyExitModel, NumericalError, Request, Session, generate, load_runner, runner
from greencode_lsp.engine.backbone import Backbone, load_backbone
from greencode_lsp.engine.cuda import CudaRunner
from greencode_lsp.engine.cuda.graphs import Graphs
from greencode_lsp.policy import FixedExit, NeverExit, RandomExit
from greencode_lsp.policy.learned import LearnedPolicy, PolicyFile, PolicyNetwork
from tests.engine.conftest import RANDOM_MODELS, Twins, make_twins
from tests.engine.recording import RecordedGraphs
from tests.engine.test_exits import random_heads
from tests.engine.test_invariants import (  # noqa: F401  # run here again, with this module's `twins`
    test_a_prompt_of_several_chunks_gives_the_same_text,
    test_a_warm_session_feeds_only_what_is_new,
    test_after_a_flush_keys_and_values_are_those_of_one_prefill,
    test_exiting_at_one_depth_is_the_truncated_model,
    test_full_depth_says_what_transformers_generate_says,
    test_logits_are_those_of_transformers,
    test_only_allowed_tokens_are_chosen,
    test_stop_rules_and_limits_end_the_text_where_full_depth_would,
    test_the_text_ends_where_the_context_does,
    text,
)

pytestmark = pytest.mark.usefixtures("one_thread")

EXITS = (2, 3, 5)


@dataclass
class StaticTwins(Twins):
    """Twins of which greencode's is run by the GPU runner."""

    graphs: Graphs
    plain: Backbone

    @property
    def backbone(self) -> Backbone:
        return self.plain


def static_twins(plain: Twins, graphs: Graphs) -> StaticTwins:
    model = EarlyExitModel(CudaRunner(plain.backbone, graphs), EXITS)
    return StaticTwins(plain.reference, model, plain.folder, graphs, plain.backbone)


def graphs_off() -> Graphs:
    return Graphs(torch.device("cpu"), enabled=False)


@pytest.fixture(
    scope="module",
    params=[("llama", False), ("llama", True), ("opt", False), ("opt", True), ("gpt_neox", True), ("qwen3", True)],
    ids=lambda param: f"{param[0]}-{'recorded' if param[1] else 'as it is'}",
)
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StaticTwins:
    name, recorded = request.param
    plain = make_twins(RANDOM_MODELS[name], tmp_path_factory.mktemp(name))
    return static_twins(plain, RecordedGraphs() if recorded else graphs_off())


def random_network(hidden_size: int, seed: int) -> PolicyNetwork:
    random = np.random.default_rng(seed)
    shapes = {"in": ((16, hidden_size), (16,)), "mid": ((8, 16), (8,)), "out": ((2, 8), (2,))}
    tensors = {}
    for name, (weight, bias) in shapes.items():
        tensors[f"{name}.weight"] = random.normal(size=(len(EXITS), *weight)).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(size=(len(EXITS), *bias)).astype(np.float32)
    return PolicyNetwork(PolicyFile(EXITS, hidden_size, "supervised", "rms", 4.0, np.array([0.0], np.float32), tensors))


@pytest.mark.parametrize("rows", [*range(1, 18), 40])
def test_any_number_of_rows_gives_what_the_plain_runner_gives(twins: StaticTwins, prompt: list[int], rows: int) -> None:
    tokens = [*prompt, *range(rows)]
    found, expected = [
        outputs_of(each, tokens, len(prompt)) for each in (twins.model, EarlyExitModel(twins.plain, EXITS))
    ]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def outputs_of(model: EarlyExitModel, tokens: list[int], warm: int) -> list[torch.Tensor]:
    """Return what every segment makes of the tokens behind the first `warm` ones."""
    session = Session(model)
    for part in (tokens[:warm], tokens[warm:]):
        session.feed(part)
        outputs = [session.run(segment) for segment in range(len(model.segments))]
    return outputs


def test_texts_in_turns_do_not_disturb_each_other(twins: StaticTwins, prompt: list[int]) -> None:
    texts = [prompt, prompt[::-1], [*prompt[:20], *prompt[:30]]]
    sessions = [Session(twins.model) for _ in texts]
    expected = [twins.greedy(each, 12) for each in texts]
    found: list[list[int]] = [[] for _ in texts]
    for _ in range(4):
        for session, each, said in zip(sessions, texts, found, strict=True):
            said += text(session, [*each, *said], 3, NeverExit())
    assert found == expected


def test_few_captures_serve_all_texts(prompt: list[int], tmp_path: Path) -> None:
    graphs = RecordedGraphs()
    twins = static_twins(make_twins(RANDOM_MODELS["llama"], tmp_path), graphs)
    assert text(Session(twins.model), prompt, 20) == twins.greedy(prompt, 20)
    assert graphs.captures == 1 + len(twins.model.segments) + 1  # one row: embedding, segments, head
    for other in (prompt[::-1], [*prompt, *prompt]):
        assert text(Session(twins.model), other, 20) == twins.greedy(other, 20)
    assert graphs.captures == 6


@pytest.mark.parametrize("graphs", [graphs_off, RecordedGraphs])
def test_memory_grows_with_a_text_that_needs_more(graphs, prompt: list[int], tmp_path: Path) -> None:
    plain = make_twins(RANDOM_MODELS["opt"], tmp_path)
    model = EarlyExitModel(CudaRunner(plain.backbone, graphs(), capacity=48), EXITS)
    session, other = Session(model), Session(model)
    assert text(other, prompt[:10], 4) == plain.greedy(prompt[:10], 4)
    assert text(session, prompt, 60, RandomExit(0.5, seed=2), verify=True) == plain.greedy(prompt, 60)
    assert text(other, prompt[:12], 60) == plain.greedy(prompt[:12], 60)


def test_a_nan_is_reported_and_does_not_reach_the_next_text(twins: StaticTwins, prompt: list[int]) -> None:
    session = Session(twins.model)
    text(session, prompt, 3)
    ran = session.segments[1]
    ran.cache.values[:, :, : ran.length] = torch.nan
    with pytest.raises(NumericalError, match="after layer 3"):
        text(session, [*prompt, 9], 3)
    assert text(Session(twins.model), prompt[:8], 12) == twins.greedy(prompt[:8], 12)


@torch.inference_mode()
def test_an_infinite_state_is_reported(twins: StaticTwins) -> None:
    session = Session(twins.model)
    session.feed([5, 6])
    session.segments[0].queue = session.segments[0].queue.clone()
    session.segments[0].queue[1, 3] = torch.inf
    with pytest.raises(NumericalError, match="after layer 2"):
        session.run(0)


def test_exits_are_read_by_their_own_heads(twins: StaticTwins, prompt: list[int]) -> None:
    heads = random_heads(twins.plain.shape)
    for depth in EXITS:
        said = [
            text(Session(EarlyExitModel(each, EXITS, heads)), prompt, 12, FixedExit(depth))
            for each in (twins.plain, twins.model.backbone)
        ]
        assert said[0] == said[1]


def test_a_logit_that_is_nan_is_an_error(twins: StaticTwins) -> None:
    reader = twins.model.backbone.reader()
    for rows in (1, 3, 20):
        with pytest.raises(NumericalError, match="logit is NaN"):
            reader.likeliest(torch.full((rows, twins.plain.shape.hidden_size), torch.nan))


def test_the_policy_is_scored_within_the_segments(
    twins: StaticTwins, prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = random_network(twins.plain.shape.hidden_size, seed=1)
    expected = [decisions(EarlyExitModel(twins.plain, EXITS), network, prompt, verify) for verify in (False, True)]
    model = EarlyExitModel(CudaRunner(twins.plain, RecordedGraphs()), EXITS)
    text(Session(model), prompt, 3)  # captured before there is a network
    within = model.backbone.scorer(network)
    asked: list[int] = []
    score = PolicyNetwork.scores

    def counted(network: PolicyNetwork, exit_index: int, hidden: torch.Tensor) -> tuple[float, float]:
        asked.append(exit_index)
        return score(network, exit_index, hidden)

    monkeypatch.setattr(PolicyNetwork, "scores", counted)
    assert [decisions(model, within, prompt, verify) for verify in (False, True)] == expected
    assert len({depth for _, depth in expected[0]}) > 1
    assert len(asked) <= 2 * len(EXITS)  # for the prompts alone, which ran as the plain runner runs them


def decisions(model: EarlyExitModel, network: PolicyNetwork, prompt: list[int], verify: bool) -> list[tuple[int, int]]:
    request = Request(prompt, 20, LearnedPolicy(network, 0.5), verify)
    return [(token.id, token.exit_layer) for token in generate(Session(model), request).tokens]


def test_scores_are_those_of_the_state_that_is_asked_about(twins: StaticTwins, prompt: list[int]) -> None:
    network = random_network(twins.plain.shape.hidden_size, seed=1)
    model = EarlyExitModel(CudaRunner(twins.plain, graphs_off()), EXITS)
    within = model.backbone.scorer(network)
    session = Session(model)
    session.feed(prompt[:5])
    with torch.inference_mode():
        states = [session.run(segment)[-1] for segment in range(len(EXITS))]
        for index in (2, 0, 1):  # the newest, and older ones
            assert within.scores(index, states[index]) == pytest.approx(network.scores(index, states[index]), abs=1e-5)


def test_where_capturing_fails_it_says_so_once_and_goes_on(
    prompt: list[int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if torch.cuda.is_available():
        pytest.skip("capturing works here")
    twins = static_twins(make_twins(RANDOM_MODELS["llama"], tmp_path), Graphs(torch.device("cpu"), enabled=True))
    with caplog.at_level(logging.INFO):
        assert text(Session(twins.model), prompt, 8) == twins.greedy(prompt, 8)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith("CUDA graphs do not work here, running without them: ")
    assert "\n" not in lines[0]
    assert twins.model.backbone.description == "static K/V without graphs, float32"


def test_every_device_but_the_cpu_is_run_by_it(twins: StaticTwins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "load_backbone", lambda folder, device, dtype, adapters: load_backbone(folder))
    assert isinstance(load_runner(twins.folder, "cuda", twins.folder), CudaRunner)


def test_a_machine_without_a_gpu_never_imports_it(tmp_path: Path) -> None:
    make_twins(RANDOM_MODELS["llama"], tmp_path / "model")
    code = (
        "import json, sys; from pathlib import Path; import greencode_lsp.server.app, greencode_lsp.completion.loading;"
        "from greencode_lsp.engine import load_runner; load_runner(Path(sys.argv[1]), 'cpu', Path(sys.argv[2]));"
        "print(json.dumps([name for name in sys.modules if 'engine.cuda' in name]))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "model"), str(tmp_path / "store")]
    assert json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout) == []


def test_half_precision_decodes(twins: StaticTwins, prompt: list[int]) -> None:
    plain = load_backbone(twins.folder, dtype=torch.bfloat16)
    model = EarlyExitModel(CudaRunner(plain, RecordedGraphs()), EXITS)
    assert model.backbone.dtype == torch.bfloat16
    assert len(text(Session(model), prompt, 10, FixedExit(3), verify=True)) == 10
