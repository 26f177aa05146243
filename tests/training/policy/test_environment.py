import numpy as np
import pytest
from gymnasium.spaces import Discrete

from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.environment import CONTINUE, EXIT, STOP, TraceEnvironment
from greencode_lsp.training.policy.inputs import as_recorded, fit_inputs
from greencode_lsp.training.policy.rewards import energy_rewards
from tests.training.policy.toy import COSTS, EXITS, HIDDEN, toy_traces


def environment(traces, count=4, **options):
    rewards = energy_rewards(traces, COSTS, price=0.5)
    return TraceEnvironment(traces, rewards, as_recorded(traces), count, **options), rewards


def where(observations, traces):
    """Find out which row and exit an observation is of."""
    flat = traces.hidden.astype(np.float32).reshape(-1, HIDDEN)
    places = [int(np.flatnonzero((flat == state).all(axis=1))[0]) for state in observations[:, :HIDDEN]]
    return np.array([divmod(place, len(EXITS)) for place in places])


def test_a_token_is_walked_exit_by_exit_and_rewarded_as_told():
    traces = toy_traces(rows=60)
    env, rewards = environment(traces)
    observations, _ = env.reset(seed=3)
    start = where(observations, traces)
    assert (start[:, 1] == 0).all()
    assert (observations[:, HIDDEN:] == [1, 0, 0]).all()

    observations, earned, ended, _, _ = env.step(np.full(4, CONTINUE))
    assert earned == pytest.approx(rewards.deeper[start[:, 0], 0])
    assert not ended.any()
    assert (where(observations, traces) == start + np.array([0, 1])).all()
    assert (observations[:, HIDDEN:] == [0, 1, 0]).all()

    observations, earned, ended, _, _ = env.step(np.array([EXIT, STOP, CONTINUE, EXIT]))
    expected = [rewards.leave[start[0, 0], 1], rewards.stop[start[1, 0], 1], rewards.deeper[start[2, 0], 1]]
    assert earned[:3] == pytest.approx(expected)
    assert ended.tolist() == [True, True, False, True]

    observations, earned, ended, _, _ = env.step(np.full(4, CONTINUE))
    assert earned[2] == pytest.approx(rewards.deeper[start[2, 0], 2])
    assert ended.tolist() == [False, False, True, False]


def test_an_episode_of_many_tokens_stays_in_its_file_and_ends_when_the_policy_gives_up():
    traces = toy_traces(rows=60, files=3)
    env, _ = environment(traces, count=32, tokens=5, show_exit=False)
    observations, _ = env.reset(seed=1)
    assert observations.shape == (32, HIDDEN)
    rows = [where(observations, traces)[:, 0]]
    for token in range(5):
        observations, _, ended, _, _ = env.step(np.full(32, EXIT))
        assert ended.all() == (token == 4)
        rows.append(where(observations, traces)[:, 0])
    assert (np.diff(rows[:5], axis=0) == 1).all()
    assert (traces.files[rows[0]] == traces.files[rows[4]]).all()
    env.step(np.full(32, EXIT))
    assert env.step(np.full(32, STOP))[2].all()


def test_observations_stay_within_the_declared_space():
    traces = toy_traces(rows=100)
    env = TraceEnvironment(traces, energy_rewards(traces, COSTS, 0.1), fit_inputs(traces, "rms", 0), 8)
    observations, _ = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    assert env.single_action_space == Discrete(3)


def test_too_short_files_are_refused():
    with pytest.raises(TrainingError, match="20 tokens in a row"):
        environment(toy_traces(rows=60, files=30), tokens=20)
