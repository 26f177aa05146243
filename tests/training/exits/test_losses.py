"""Losses of exits: the paper's weights, and the softmax over candidates instead of the vocabulary."""

import pytest
import torch
from torch.nn import functional

from greencode_lsp.training.exits.losses import choose_candidates, exit_loss, geometric_weights, uniform_weights
from greencode_lsp.training.exits.recipe import Recipe

ROWS, VOCABULARY, LIKELY = 24, 400, 32


def test_geometric_weights_are_those_of_the_paper() -> None:
    llama = geometric_weights((4, 6, 8, 10, 12, 14, 18, 22, 26), 28)
    published = [0.1494, 0.1345, 0.1210, 0.1089, 0.0980, 0.0882, 0.0738, 0.0664, 0.0598, 0.1]
    assert [*llama.values()] == pytest.approx(published, abs=5e-5)
    opt = geometric_weights((4, 6, 8, 10, 12, 14, 16, 20, 24, 28), 32)
    published = [0.1342, 0.1208, 0.1087, 0.0978, 0.0880, 0.0792, 0.0713, 0.0738, 0.0664, 0.0598, 0.1]
    assert [*opt.values()] == pytest.approx(published, abs=5e-5)


def test_weights_sum_to_one_also_without_exits_in_one_half() -> None:
    assert sum(geometric_weights((20, 24), 30).values()) == pytest.approx(1)
    assert uniform_weights((6, 12, 18), 30) == {6: 0.25, 12: 0.25, 18: 0.25, 30: 0.25}


def test_full_depth_may_have_a_share_of_its_own() -> None:
    recipe = Recipe("", 30, (6, 12, 18), "full", 1e-3, 1000, full_depth_share=0.4)
    assert recipe.loss_weights() == pytest.approx({6: 0.2, 12: 0.2, 18: 0.2, 30: 0.4})


def taught(generator: torch.Generator):
    logits = 4 * torch.randn(ROWS, VOCABULARY, generator=generator)
    likelihood, likely = logits.log_softmax(-1).topk(LIKELY)
    true = torch.randint(0, VOCABULARY, (ROWS,), generator=generator)
    return likelihood, likely, true


def test_over_the_whole_vocabulary_the_loss_is_the_cross_entropy_written_out() -> None:
    generator = torch.Generator().manual_seed(1)
    likelihood, likely, true = taught(generator)
    candidates = choose_candidates(likely, likelihood, true, VOCABULARY, 0, generator)
    assert sorted(candidates.ids.tolist()) == list(range(VOCABULARY))
    logits = torch.randn(ROWS, VOCABULARY, generator=generator)
    loss, agreement = exit_loss(logits[:, candidates.ids], candidates, 0.25)
    kept = candidates.teacher.shape[1]
    teacher = torch.zeros(ROWS, VOCABULARY).scatter(1, likely[:, :kept], likelihood[:, :kept].exp())
    teacher /= teacher.sum(-1, keepdim=True)
    expected = 0.75 * functional.cross_entropy(logits, teacher) + 0.25 * functional.cross_entropy(logits, true)
    torch.testing.assert_close(loss, expected)
    assert float(agreement) == float((logits.argmax(-1) == likely[:, 0]).float().mean())


def test_drawn_candidates_give_the_sum_over_the_vocabulary_on_average() -> None:
    generator = torch.Generator().manual_seed(2)
    likelihood, likely, true = taught(generator)
    logits = torch.randn(ROWS, VOCABULARY, generator=generator)
    estimates = []
    for seed in range(400):
        drawn = torch.Generator().manual_seed(seed)
        candidates = choose_candidates(likely, likelihood, true, VOCABULARY, 30, drawn)
        assert len(candidates.ids) == len(set(candidates.ids.tolist())) < VOCABULARY
        assert torch.equal(candidates.ids[candidates.true], true)
        estimates.append((logits[:, candidates.ids] + candidates.log_weights).exp().sum(-1))
    mean = torch.stack(estimates).mean(0)
    torch.testing.assert_close(mean, logits.exp().sum(-1), rtol=0.02, atol=0)
