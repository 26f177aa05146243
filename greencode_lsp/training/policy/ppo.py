"""Proximal policy optimisation on traces, with stable-baselines3: the paper's way, and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import LinearSchedule
from torch import nn

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.environment import TraceEnvironment
from greencode_lsp.training.policy.export import array, finish
from greencode_lsp.training.policy.inputs import Inputs, Singles, as_recorded, fit_inputs
from greencode_lsp.training.policy.rewards import Rewards
from greencode_lsp.training.policy.scoring import decide, score
from greencode_lsp.training.policy.trace_set import TraceSet
from greencode_lsp.training.progress import Report

FEWEST_STOPS = -4.0
"""Where the logit of giving up begins: an untrained policy that gives up a third of the time learns nothing else."""


@dataclass(frozen=True)
class PpoOptions:
    """Our settings; `PAPER` has those of GREEN-CODE. `steps_per_update` are of all copies together."""

    steps: int = 500_000
    copies: int = 256
    steps_per_update: int = 4096
    batch: int = 512
    epochs: int = 6
    learning_rate: float = 5e-4
    discount: float = 1.0
    entropy: float = 0.005
    tokens_per_episode: int = 1
    width: int = 64
    second_width: int = 64
    hidden_state_only: bool = False
    seed: int = 420


PAPER = PpoOptions(
    copies=16,
    learning_rate=5e-5,
    discount=0.99,
    entropy=0.0,
    tokens_per_episode=15,
    hidden_state_only=True,
)
"""README of the authors' code: [64, 64], 5e-5 falling linearly, 4096 steps, batch 512, 6 epochs, 15 tokens, 500,000."""


def train_ppo(
    traces: TraceSet,
    held_out: TraceSet,
    rewards_of: Callable[[TraceSet], Rewards],
    options: PpoOptions,
    report: Report,
) -> PolicyFile:
    """Train, and return the policy that earned most on held-out rows: in the paper's curve the reward falls again.

    Raises `TrainingError` when the policy's weights become NaN.
    """
    inputs = as_recorded(traces) if options.hidden_state_only else fit_inputs(traces, "rms", options.seed)
    rewards = rewards_of(traces)
    environment = TraceEnvironment(
        traces, rewards, inputs, options.copies, options.tokens_per_episode, not options.hidden_state_only, options.seed
    )
    from greencode_lsp.training.policy.sb3_environment import Sb3Environment

    widths = [options.width, options.second_width]
    model = PPO(
        "MlpPolicy",
        Sb3Environment(environment),
        learning_rate=LinearSchedule(options.learning_rate, 0.0, 1.0),
        n_steps=options.steps_per_update // options.copies,
        batch_size=options.batch,
        n_epochs=options.epochs,
        gamma=options.discount,
        ent_coef=options.entropy,
        policy_kwargs={"net_arch": {"pi": widths, "vf": widths}, "activation_fn": nn.Tanh},
        seed=options.seed,
        device="cpu",
    )
    stops = rewards.stop is not None
    if stops:
        bias = model.policy.action_net.bias
        assert isinstance(bias, torch.Tensor)
        with torch.no_grad():
            bias[2] = FEWEST_STOPS
    keeper = KeepBest(held_out, rewards_of(held_out), inputs, options, report)
    try:
        model.learn(options.steps, callback=keeper)
    except ValueError as error:  # torch's distributions refuse NaN
        raise TrainingError(
            f"PPO's policy became NaN ({str(error).splitlines()[0]}); try a lower --learning-rate"
        ) from error
    return finish(keeper.best, "ppo", inputs.kind, held_out, stops=stops)


class KeepBest(BaseCallback):
    """After every few updates, see what the policy earns on held-out rows when it does what it likes best."""

    def __init__(
        self,
        held_out: TraceSet,
        rewards: Rewards,
        inputs: Inputs,
        options: PpoOptions,
        report: Report,
    ) -> None:
        super().__init__()
        self.best: dict[str, Singles] = {}
        self.best_reward = -np.inf
        self._held_out, self._rewards, self._inputs = held_out, rewards, inputs
        self._options, self._report = options, report

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._examine()

    def _on_training_end(self) -> None:
        self._examine()

    def _examine(self) -> None:
        self._report("PPO", min(self.num_timesteps, self._options.steps), self._options.steps)
        if not self._is_due():
            return
        tensors = export(self.model.policy, self._inputs, not self._options.hidden_state_only)
        reward = mean_reward(tensors, self._inputs.kind, self._held_out, self._rewards)
        if reward > self.best_reward:
            self.best, self.best_reward = tensors, reward

    def _is_due(self) -> bool:
        every = max(self._options.steps // 25, self._options.steps_per_update)
        last = self.num_timesteps >= self._options.steps
        return last or self.num_timesteps % every < self._options.steps_per_update


def export(policy: nn.Module, inputs: Inputs, with_exit: bool) -> dict[str, Singles]:
    """Turn an actor into the tensors of a policy file: the one-hot exit's weights become each exit's bias.

    Scores are logits relative to that of going deeper.
    """
    first, _, second, _ = policy.mlp_extractor.policy_net  # type: ignore[union-attr, misc]
    action = policy.action_net
    exits, size = inputs.mean.shape
    weight, bias = array(first.weight), array(first.bias)
    biases = bias + weight[:, size:].T if with_exit else np.repeat(bias[None], exits, axis=0)
    in_weight, in_bias = inputs.fold(np.repeat(weight[None, :, :size], exits, axis=0), biases)
    out_weight, out_bias = array(action.weight), array(action.bias)  # type: ignore[union-attr, arg-type]
    if len(out_bias) == 2:  # no action to give up: a score that never rises above the others
        out_weight, out_bias = np.pad(out_weight, ((0, 1), (0, 0))), np.append(out_bias, -1e3).astype(np.float32)
    tensors = {
        "mid.weight": array(second.weight),
        "mid.bias": array(second.bias),
        "out.weight": out_weight[1:] - out_weight[:1],
        "out.bias": out_bias[1:] - out_bias[:1],
    }
    repeated = {name: np.repeat(tensor[None], exits, axis=0) for name, tensor in tensors.items()}
    return {"in.weight": in_weight, "in.bias": in_bias, **repeated}


def mean_reward(tensors: dict[str, Singles], kind: str, traces: TraceSet, rewards: Rewards) -> float:
    """Return the undiscounted reward per token of the policy that takes the likeliest action."""
    nothing = np.zeros(1, np.float32)
    policy = PolicyFile(traces.exits, traces.hidden.shape[2], "ppo", kind, 0.0, nothing, tensors)
    choice = decide(score(policy, traces), 0.0, 0.0 if rewards.stop is not None else np.inf)
    rows, exits = np.arange(len(traces)), len(traces.exits)
    went_deeper = np.where(np.arange(exits) < choice.exits[:, None], rewards.deeper, 0.0).sum(axis=1)
    last = np.minimum(choice.exits, exits - 1)
    left = np.where(choice.exits < exits, rewards.leave[rows, last], 0.0)
    if rewards.stop is not None:
        left = np.where(choice.stopped, rewards.stop[rows, last], left)
    return float((went_deeper + left).mean())
