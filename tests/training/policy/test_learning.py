"""Learning works: each algorithm finds the best policy of a toy whose best policy is known."""

from dataclasses import replace

import numpy as np
import pytest

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.fitting import FitOptions
from greencode_lsp.training.policy.outcomes import reading_costs
from greencode_lsp.training.policy.ppo import PpoOptions
from greencode_lsp.training.policy.scoring import Scores, decide, score
from greencode_lsp.training.policy.trace_set import TraceSet
from greencode_lsp.training.policy.train import TrainOptions, train
from greencode_lsp.training.progress import silent
from tests.training.policy.toy import COSTS, HIDDEN, toy_traces, uncertain_traces

FIT = FitOptions(width=16, second_width=16, epochs=15, batch=128)
PPO = PpoOptions(steps=80_000, width=32, second_width=32)
OPTIONS = {name: TrainOptions(name, price=0.5, fit=FIT, ppo=PPO) for name in ("ppo", "stopping", "supervised")}


def first_right_exit(traces):
    return np.where(traces.agrees.any(axis=1), traces.agrees.argmax(axis=1), len(traces.exits))


@pytest.fixture(scope="module", params=sorted(OPTIONS))
def learned(request) -> PolicyFile:
    return train(toy_traces(), OPTIONS[request.param], COSTS, silent).policy


def test_tokens_leave_at_the_first_exit_that_is_right(learned):
    fresh = toy_traces(seed=7)
    found = decide(score(learned, fresh), 0.0).exits == first_right_exit(fresh)
    assert found[fresh.right[:, -1]].mean() > 0.97  # where full depth is wrong, giving up is better than any exit


def test_a_policy_gives_up_only_where_full_depth_is_wrong(learned):
    if learned.kind == "ppo":
        pytest.skip("with agreement as what is right there is next to nothing to win by giving up")
    fresh = toy_traces(seed=7)
    choice = decide(score(learned, fresh), np.inf, learned.stop_threshold)
    assert 0.1 < choice.stopped.mean() < 0.25
    assert (~fresh.right[choice.stopped, -1]).mean() > 0.95


@pytest.mark.slow
def test_ppo_gives_up_where_the_truth_is_out_of_reach():
    options = TrainOptions("ppo", right="truth", price=0.5, ppo=replace(PPO, steps=150_000))
    policy = train(toy_traces(), options, COSTS, silent).policy
    fresh = toy_traces(seed=7)
    choice = decide(score(policy, fresh), 0.0, 0.0)
    assert (choice.stopped == ~fresh.right[:, -1]).mean() > 0.95


@pytest.mark.slow
def test_dear_energy_makes_tokens_leave_sooner():
    traces = toy_traces()
    depths = []
    for price in (0.1, 1.8):
        options = TrainOptions("stopping", price=price, fit=FIT)
        policy = train(traces, options, COSTS, silent).policy
        depths.append(decide(score(policy, traces), 0.0).exits.mean())
    assert depths[1] < depths[0] - 0.3


@pytest.mark.slow
def test_the_papers_own_formulation_learns_from_the_bare_state():
    options = TrainOptions(seed=1, ppo=PpoOptions(steps=60_000)).as_in_the_paper()
    assert (options.ppo.learning_rate, options.ppo.hidden_state_only, options.reward) == (5e-5, True, "paper")
    quick = TrainOptions("ppo", reward="paper", ppo=PpoOptions(**vars(options.ppo) | {"learning_rate": 1e-3}))
    traces = toy_traces(hopeless=0.0)
    policy = train(traces, quick, COSTS, silent).policy
    assert policy.inputs == "raw"
    assert np.ptp(policy.tensors["in.bias"], axis=0).max() == 0.0  # one network for every exit, without its index
    assert policy.stop_threshold == np.inf
    choice = decide(score(policy, traces), 0.0)
    assert (choice.exits == first_right_exit(traces)).mean() > 0.9


def test_how_sure_an_exit_is_teaches_a_gate_more_than_yes_and_no_alone():
    fresh = uncertain_traces(rows=6000, seed=0, tells=True)
    likely = fresh.hidden[:, 0].astype(float).sum(axis=1)

    def error(tells: bool) -> float:
        errors = []
        for seed in (1, 3, 5, 7, 9):
            traces = uncertain_traces(rows=600, seed=seed, tells=tells)
            policy = train(traces, OPTIONS["supervised"], COSTS, silent).policy
            assert policy.tensors["out.weight"].shape[1] == 2  # what was taught beside is left out
            errors.append(1 - np.corrcoef(score(policy, fresh).exit[:, 0], likely)[0, 1])
        return float(np.mean(errors))

    assert error(tells=True) < 0.95 * error(tells=False)


def test_a_token_that_was_read_says_what_the_state_does_not():
    """Here states say nothing: whether an exit is right, its own probability alone tells."""

    def chance(seed: int) -> TraceSet:
        traces = uncertain_traces(rows=6000, seed=seed, tells=True)
        noise = np.random.default_rng(seed + 1).normal(size=traces.hidden.shape)
        return replace(traces, hidden=noise.astype(np.float16))

    scores = score(train(chance(1), OPTIONS["supervised"], COSTS, silent).policy, chance(9))
    agrees = chance(9).agrees
    assert scores.confirm is not None
    assert abs(np.corrcoef(scores.exit[:, 1], agrees[:, 1])[0, 1]) < 0.1
    assert np.corrcoef(scores.confirm[:, 1], agrees[:, 1])[0, 1] > 0.5


def test_a_token_that_is_read_in_vain_is_paid_for():
    scores = Scores(
        np.array([[1.0, 1.0, -1.0], [1.0, 1.0, 1.0]]), confirm=np.array([[-1.0, 1.0, 1.0], [-1.0, -1.0, 1.0]])
    )
    choice = decide(scores, 0.0)
    assert choice.exits.tolist() == [1, 2]
    assert choice.in_vain is not None and choice.in_vain.tolist() == [[True, False, False], [True, True, False]]
    assert choice.asked.tolist() == [4, 6]
    costs = replace(COSTS, translators=(1.0, 0.5, 0.25))
    assert reading_costs(choice, costs, False).tolist() == pytest.approx(
        [3 + 2.5 + 4 * 0.05, 3 + 2.5 + 2.25 + 6 * 0.05]
    )


def test_the_same_seed_gives_the_same_policy():
    few = toy_traces(rows=1500)
    for name in ("stopping", "ppo"):
        options = TrainOptions(name, fit=FitOptions(width=8, epochs=2), ppo=PpoOptions(steps=8192, width=8))
        first, again = (train(few, options, COSTS, silent).policy for _ in range(2))
        assert all(np.array_equal(first.tensors[part], again.tensors[part]) for part in first.tensors)


def test_a_state_that_is_not_a_number_is_refused_in_one_line():
    traces = toy_traces(rows=300)
    traces.hidden[:, 1, HIDDEN - 1] = np.nan
    with pytest.raises(TrainingError, match="NaN or infinite") as raised:
        train(traces, OPTIONS["supervised"], COSTS, silent)
    assert "\n" not in str(raised.value)


def test_a_learning_rate_that_breaks_the_loss_is_refused_in_one_line():
    options = TrainOptions("supervised", fit=FitOptions(width=8, epochs=3, learning_rate=1e37))
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        train(toy_traces(rows=3000), options, COSTS, silent)
