"""Training a policy from traces by one of three algorithms, into one form of file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.fitting import FitOptions
from greencode_lsp.training.policy.levels import levelled
from greencode_lsp.training.policy.outcomes import Figures, tally
from greencode_lsp.training.policy.paper_rewards import paper_rewards, paper_variant, without_hopeless
from greencode_lsp.training.policy.ppo import PAPER, PpoOptions, train_ppo
from greencode_lsp.training.policy.rewards import Rewards, energy_rewards
from greencode_lsp.training.policy.scoring import decide, score
from greencode_lsp.training.policy.stopping import train_stopping
from greencode_lsp.training.policy.supervised import harmless, train_supervised
from greencode_lsp.training.policy.trace_set import TraceSet
from greencode_lsp.training.progress import Report

ALGORITHMS = ("ppo", "stopping", "supervised")
REWARDS = ("energy", "paper", "paper-alignment", "paper-scaled")

HELD_OUT_SHARE = 0.1
"""Files of the training traces that choose the best epoch and the grid of thresholds."""


@dataclass(frozen=True)
class TrainOptions:
    """Which algorithm and reward, and the settings of each. `price` and `right` are explained in `energy_rewards`."""

    algorithm: str = "supervised"
    reward: str = "energy"
    right: str = "agreement"
    price: float = 0.15
    focal: float = 0.0
    seed: int = 420
    fit: FitOptions = field(default_factory=FitOptions)
    ppo: PpoOptions = field(default_factory=PpoOptions)

    def as_in_the_paper(self) -> TrainOptions:
        """Return GREEN-CODE's own formulation: PPO on the hidden state alone, with a reward that counts layers."""
        reward = "paper" if self.reward == "energy" else self.reward
        return replace(self, algorithm="ppo", reward=reward, ppo=replace(PAPER, seed=self.seed, steps=self.ppo.steps))


@dataclass(frozen=True)
class Trained:
    """A policy, and what it does on the files that training held out, at a score of 0 and without giving up."""

    policy: PolicyFile
    held_out: Figures


def train(traces: TraceSet, options: TrainOptions, costs: Costs, report: Report) -> Trained:
    """Train on nine files of ten; raise `TrainingError` in one line where that cannot be."""
    fitted, held_out = traces.split_by_file(HELD_OUT_SHARE, options.seed)
    fit, ppo = replace(options.fit, seed=options.seed), replace(options.ppo, seed=options.seed)
    if options.reward != "energy" and paper_variant(options.reward, traces.exits).skip_hopeless:
        fitted = without_hopeless(fitted)

    def rewards_of(some: TraceSet) -> Rewards:
        if options.reward == "energy":
            return energy_rewards(some, costs, options.price, options.right)
        return paper_rewards(some, paper_variant(options.reward, some.exits))

    match options.algorithm:
        case "ppo":
            policy = train_ppo(fitted, held_out, rewards_of, ppo, report)
        case "stopping":
            policy = train_stopping(fitted, held_out, rewards_of, fit, report)
        case "supervised":
            policy = train_supervised(fitted, held_out, options.right, fit, report, options.focal)
            policy = levelled(policy, held_out, harmless(held_out, options.right), costs, options.price)
        case _:
            raise ValueError(options.algorithm)
    choice = decide(score(policy, held_out), 0.0)
    return Trained(policy, tally(held_out, choice, costs).figures())
