import pytest
import torch

from greencode_lsp.policy import Confidence, FixedExit, NeverExit, RandomExit, Reading, Verdict, judge


def reading(layer: int = 12, probability: float | None = None) -> Reading:
    return Reading(exit_index=1, exit_layer=layer, hidden=torch.zeros(4), probability=probability)


def test_never_exit_always_continues() -> None:
    assert NeverExit().decide(reading()) is Verdict.CONTINUE


def test_fixed_exit_leaves_at_its_layer_and_not_before() -> None:
    policy = FixedExit(12)
    decisions = [policy.decide(reading(layer)) for layer in (6, 12, 18)]
    assert decisions == [Verdict.CONTINUE, Verdict.EXIT, Verdict.EXIT]


def test_random_exit_follows_its_probability_and_seed() -> None:
    draws = [RandomExit(0.3, seed=1).decide(reading()) for _ in range(3)]
    assert len(set(draws)) == 1
    policy = RandomExit(0.3, seed=1)
    exits = sum(policy.decide(reading()) is Verdict.EXIT for _ in range(4000))
    assert 1100 < exits < 1300


def test_confidence_compares_the_highest_probability() -> None:
    assert Confidence(0.9).decide(reading()) is Verdict.READ
    assert Confidence(0.9).decide(reading(probability=0.982)) is Verdict.EXIT
    assert Confidence(0.9).decide(reading(probability=0.525)) is Verdict.CONTINUE


def test_a_token_is_read_only_where_a_policy_wants_it() -> None:
    read = iter([0.95, 0.4])
    verdicts = [judge(Confidence(0.9), reading(), lambda: next(read)) for _ in range(2)]
    assert verdicts == [Verdict.EXIT, Verdict.CONTINUE]
    assert judge(FixedExit(12), reading(), lambda: next(read)) is Verdict.EXIT, "there is nothing left to read"


def test_a_threshold_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Confidence(1.5)
