"""Early exit as an environment: many tokens at once, each standing behind one exit, on recorded traces."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.inputs import Inputs, Singles
from greencode_lsp.training.policy.rewards import Rewards
from greencode_lsp.training.policy.trace_set import Booleans, Integers, TraceSet

CONTINUE, EXIT, STOP = 0, 1, 2

Step = tuple[Singles, NDArray[np.float64], Booleans, Booleans, dict[str, Any]]


class TraceEnvironment(gymnasium.vector.VectorEnv[Singles, Integers, NDArray[Any]]):
    """Each of `count` copies walks through `tokens` neighbouring tokens of one file, exit by exit.

    An observation is the state behind the exit, scaled by `inputs`, and the exit's index in one-hot form unless
    `show_exit` is off. The action STOP exists where the rewards have it, and ends the episode. The next episode begins
    in the same step. Loads no model: a step is a look into arrays.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 - gymnasium's own form

    def __init__(
        self,
        traces: TraceSet,
        rewards: Rewards,
        inputs: Inputs,
        count: int,
        tokens: int = 1,
        show_exit: bool = True,
        seed: int = 0,
    ) -> None:
        self._hidden, self._inputs, self._show_exit = traces.hidden, inputs, show_exit
        self._exits, size = len(traces.exits), traces.hidden.shape[2]
        no_stop = np.zeros_like(rewards.leave)
        self._rewards = np.stack(
            [rewards.deeper, rewards.leave, no_stop if rewards.stop is None else rewards.stop], axis=-1
        )  # [rows, exits, actions]
        self._tokens = tokens
        self._starts = episode_starts(traces, tokens)
        self._random = np.random.default_rng(seed)
        self._row = np.zeros(count, np.int64)
        self._exit = np.zeros(count, np.int64)
        self._left = np.zeros(count, np.int64)
        self.num_envs = count
        width = size + (self._exits if show_exit else 0)
        self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.single_action_space = gymnasium.spaces.Discrete(2 if rewards.stop is None else 3)
        self.observation_space = batch_space(self.single_observation_space, count)
        self.action_space = batch_space(self.single_action_space, count)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Singles, dict[str, Any]]:
        """Begin a new episode in every copy."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self._begin(np.arange(self.num_envs))
        return self._observe(), {}

    def step(self, actions: Integers) -> Step:
        """Take one decision for every copy."""
        rewards = self._rewards[self._row, self._exit, actions]
        token_done = (actions != CONTINUE) | (self._exit == self._exits - 1)
        self._exit += 1
        self._exit[token_done] = 0
        self._row += token_done
        self._left -= token_done
        ended = token_done & ((self._left == 0) | (actions == STOP))
        self._begin(np.flatnonzero(ended))
        return self._observe(), rewards, ended, np.zeros(self.num_envs, bool), {}

    def _begin(self, copies: Integers) -> None:
        self._row[copies] = self._random.choice(self._starts, len(copies))
        self._exit[copies] = 0
        self._left[copies] = self._tokens

    def _observe(self) -> Singles:
        states = self._inputs.of(self._hidden[self._row, self._exit], self._exit)
        if not self._show_exit:
            return states
        return np.concatenate([states, np.eye(self._exits, dtype=np.float32)[self._exit]], axis=1)


def episode_starts(traces: TraceSet, tokens: int) -> Integers:
    """Return the rows with at least `tokens` rows of their file from there on."""
    starts = np.arange(len(traces) - tokens + 1)
    starts = starts[traces.files[starts] == traces.files[starts + tokens - 1]]
    if not len(starts):
        raise TrainingError(f"no file of these traces has {tokens} tokens in a row; record traces of longer files")
    return np.asarray(starts)
