"""The GPU runner with real CUDA graphs: skipped without a GPU, and the first thing to run where there is one."""

import pytest
import torch

from greencode_lsp.engine import EarlyExitModel, Request, Session, generate, load_backbone
from greencode_lsp.engine.cuda import CudaRunner
from greencode_lsp.engine.cuda.graphs import Graphs
from greencode_lsp.policy import FixedExit, NeverExit, RandomExit
from greencode_lsp.policy.learned import LearnedPolicy
from tests.engine.conftest import RANDOM_MODELS, Twins, make_twins
from tests.engine.test_cuda_runner import EXITS, random_network
from tests.engine.test_invariants import text

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@pytest.fixture(scope="module", params=["llama", "opt", "gpt_neox", "qwen3"])
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return make_twins(RANDOM_MODELS[request.param], tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def graphs() -> Graphs:
    return Graphs(torch.device("cuda"), enabled=True)


@pytest.fixture(scope="module")
def model(plain: Twins, graphs: Graphs) -> EarlyExitModel:
    return EarlyExitModel(CudaRunner(load_backbone(plain.folder, "cuda"), graphs), EXITS)


@pytest.mark.parametrize("verify", [False, True])
def test_captured_segments_say_what_transformers_says(
    plain: Twins, model: EarlyExitModel, graphs: Graphs, prompt: list[int], verify: bool
) -> None:
    policy = RandomExit(0.5, seed=1) if verify else NeverExit()
    assert text(Session(model), prompt, 40, policy, verify) == plain.greedy(prompt, 40)
    assert graphs.enabled  # nothing failed


def test_captured_exits_say_what_the_plain_runner_says(
    plain: Twins, model: EarlyExitModel, graphs: Graphs, prompt: list[int]
) -> None:
    for depth in EXITS:
        expected = text(Session(plain.model), prompt, 20, FixedExit(depth))
        assert text(Session(model), prompt, 20, FixedExit(depth)) == expected
    assert graphs.enabled


def test_captured_scores_decide_as_the_network_does(
    plain: Twins, model: EarlyExitModel, graphs: Graphs, prompt: list[int]
) -> None:
    network = random_network(plain.backbone.shape.hidden_size, seed=1)
    found, expected = [
        generate(Session(each), Request(prompt, 20, LearnedPolicy(scorer, 0.5))).tokens
        for each, scorer in ((model, model.backbone.scorer(network)), (plain.model, network))
    ]
    assert found == expected
    assert graphs.enabled


def test_a_text_that_crosses_lengths_and_moves_out_stays_itself(
    plain: Twins, model: EarlyExitModel, graphs: Graphs
) -> None:
    prompts = [
        torch.randint(3, 300, (size,), generator=torch.Generator().manual_seed(size)).tolist() for size in (500, 9)
    ]
    sessions = [Session(model) for _ in prompts]
    said: list[list[int]] = [[], []]
    for _ in range(4):
        for session, prompt, so_far in zip(sessions, prompts, said, strict=True):
            so_far += text(session, [*prompt, *so_far], 6)
    assert said == [plain.greedy(prompt, 24) for prompt in prompts]
    assert graphs.enabled
