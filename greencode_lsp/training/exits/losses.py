"""What an exit should say, and how far it is from saying it, without the whole vocabulary where that is too dear."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.backbone import apply

SHARED_LIKELY = 12
"""A batch's candidates are the union of each row's likeliest tokens down to this rank, besides the drawn ones."""


@dataclass(frozen=True)
class Candidates:
    """The tokens over which a batch's softmax is taken.

    Shapes: ids [candidates], log_weights [candidates] (how many tokens of the vocabulary each stands for), likely
    [rows, k] and true [rows] as places in `ids`, teacher [rows, k] (full depth's probabilities, summing to 1).
    """

    ids: Tensor
    log_weights: Tensor
    likely: Tensor
    true: Tensor
    teacher: Tensor


def choose_candidates(
    likely: Tensor, likelihood: Tensor, true: Tensor, vocabulary: int, drawn: int, generator: torch.Generator
) -> Candidates:
    """Return the union of a batch's likely and true tokens, and `drawn` of the others at random (all when 0).

    Each drawn token stands for as many of the others as were not drawn, so that the sum of exponentials over the
    candidates is, on average, the one over the whole vocabulary (importance sampling).
    Shapes: likely and likelihood [rows, k], true [rows].
    """
    likely, likelihood = likely[:, :SHARED_LIKELY], likelihood[:, :SHARED_LIKELY]
    wanted = torch.zeros(vocabulary, dtype=torch.bool, device=true.device)
    wanted[likely.flatten()] = True
    wanted[true] = True
    others = (~wanted).nonzero().flatten()
    if drawn and drawn < len(others):
        places = torch.randperm(len(others), generator=generator)[:drawn].to(others.device)
        sampled, weight = others[places], len(others) / drawn
    else:
        sampled, weight = others, 1.0
    sure = wanted.nonzero().flatten()
    ids = torch.cat((sure, sampled))
    log_weights = torch.zeros(len(ids), device=ids.device)
    log_weights[len(sure) :] = torch.tensor(weight).log()
    place = torch.zeros(vocabulary, dtype=torch.long, device=ids.device)
    place[ids] = torch.arange(len(ids), device=ids.device)
    return Candidates(ids, log_weights, place[likely], place[true], functional.softmax(likelihood.float(), dim=-1))


def seeded(step: int) -> torch.Generator:
    """Return a generator that a step always gets, whatever was drawn before it."""
    return torch.Generator().manual_seed(step)


@dataclass(frozen=True)
class Lesson:
    """What a batch is to say: candidates, the head's rows that score them, and a teacher's probabilities of them.

    Shapes: teacher [rows, candidates].
    """

    candidates: Candidates
    head: Linear
    teacher: Tensor

    def said(self, states: Tensor) -> Tensor:
        """Return the probabilities [rows, candidates] by other normalised states [rows, hidden] of the same rows."""
        return (apply(self.head, states).float() + self.candidates.log_weights).softmax(dim=-1)


@torch.no_grad()
def choose_taught(head: Linear, taught: Tensor, true: Tensor, drawn: int, step: int) -> Lesson:
    """Return what a teacher's normalised states [rows, hidden] say; `drawn` as in `choose_candidates`."""
    logits = apply(head, taught).float()
    likelihood, likely = logits.topk(min(SHARED_LIKELY, logits.shape[1]), dim=-1)
    candidates = choose_candidates(likely, likelihood, true, logits.shape[1], drawn, seeded(step))
    teacher = (logits[:, candidates.ids] + candidates.log_weights).softmax(dim=-1)
    return Lesson(candidates, head_rows(head, candidates.ids), teacher)


def head_rows(head: Linear, ids: Tensor) -> Linear:
    """Return the rows of the LM head that score these tokens."""
    return Linear(head.weight[ids], None if head.bias is None else head.bias[ids])


def exit_loss(logits: Tensor, candidates: Candidates, true_share: float) -> tuple[Tensor, Tensor]:
    """Return an exit's mean loss and its agreement with full depth's likeliest token, over the candidates.

    The loss is the cross-entropy against full depth's distribution (its likeliest tokens, rescaled to sum to 1), mixed
    with that against the token that came. Shapes: logits [rows, candidates].
    """
    scores = logits.float() + candidates.log_weights
    total = scores.logsumexp(dim=-1)
    distilled = total - (scores.gather(1, candidates.likely) * candidates.teacher).sum(dim=-1)
    truth = total - scores.gather(1, candidates.true[:, None])[:, 0]
    loss = torch.lerp(distilled, truth, true_share).mean()
    agreement = (logits.detach().argmax(dim=-1) == candidates.likely[:, 0]).float().mean()
    return loss, agreement


def read_losses(
    head: Linear, hidden: Tensor, candidates: Candidates, teacher: Tensor, true_share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return one depth's loss, its cross-entropy with the tokens that came, and its agreement with the teacher.

    All over the candidates. Shapes: hidden [rows, hidden], teacher [rows, candidates] (probabilities).
    """
    scores = (apply(head, hidden).float() + candidates.log_weights).log_softmax(dim=-1)
    distilled = -(teacher * scores).sum(dim=-1).mean()
    truth = functional.nll_loss(scores, candidates.true)
    likeliest = (teacher / candidates.log_weights.exp()).argmax(dim=-1)
    agreement = ((scores - candidates.log_weights).argmax(dim=-1) == likeliest).float().mean()
    return torch.lerp(distilled, truth, true_share), truth.detach(), agreement


def geometric_weights(exits: tuple[int, ...], layers: int) -> dict[int, float]:
    """Return GREEN-CODE's weights by depth: .7 to the exits in the first half, .2 to the rest, .1 to full depth.

    Within each half every exit weighs .9 of the one before it (arXiv 2501.11006; `get_weights` in its repository).
    """
    weights = {layers: 0.1}
    for share, half in (
        (0.7, [depth for depth in exits if depth <= layers // 2]),
        (0.2, [depth for depth in exits if depth > layers // 2]),
    ):
        powers = [0.9**index for index in range(len(half))]
        weights |= {depth: share * power / sum(powers) for depth, power in zip(half, powers, strict=True)}
    total = sum(weights.values())  # a half without exits leaves its share to the others
    return {depth: weights[depth] / total for depth in sorted(weights)}


def uniform_weights(exits: tuple[int, ...], layers: int) -> dict[int, float]:
    """Return the same weight for every exit and for full depth."""
    return {depth: 1 / (len(exits) + 1) for depth in (*exits, layers)}
