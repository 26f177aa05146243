"""A trace environment in the form that stable-baselines3 wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from greencode_lsp.training.policy.environment import TraceEnvironment


class Sb3Environment(VecEnv):
    """Passes everything on. Episodes end by themselves, never by a time limit, so no last observation is needed."""

    def __init__(self, environment: TraceEnvironment) -> None:
        self._environment = environment  # first, for the base class asks for attributes
        super().__init__(environment.num_envs, environment.single_observation_space, environment.single_action_space)
        self._actions: np.ndarray[Any, Any] = np.zeros(environment.num_envs, np.int64)
        self._infos: list[dict[str, Any]] = [{} for _ in range(environment.num_envs)]

    def reset(self) -> np.ndarray[Any, Any]:
        """Begin everywhere."""
        return self._environment.reset(seed=self._seeds[0])[0]

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Take note of actions."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Do what was noted."""
        observations, rewards, ended, _, _ = self._environment.step(self._actions)
        return observations, rewards, ended, self._infos

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute once for each copy."""
        return [getattr(self._environment, attr_name, None)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute for all copies."""
        setattr(self._environment, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Refuse: copies have no methods of their own."""
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """Nothing is wrapped."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[Any]:
        """There is nothing to see."""
        return [None] * self.num_envs
