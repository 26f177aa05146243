"""A drafter as a PyTorch module, computing what the engine computes, with parameters in float32."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from greencode_lsp.engine import Backbone
from greencode_lsp.engine.architecture import Linear, plain_norm
from greencode_lsp.engine.backbone import normalise, translate
from greencode_lsp.engine.drafts.drafter import DraftNetwork
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.heads import REACH, TrainableExit, detached, width_of


class TrainableDrafter(nn.Module):
    """A drafter that begins by saying what the state says, whose token is known.

    `taught` [tokens] are those that it learns of, the most frequent first; `width` is its translator's.
    """

    def __init__(self, backbone: Backbone, taught: Tensor, width: int, seed: int) -> None:
        super().__init__()
        shape = backbone.shape
        self._shape, self._rows, self.taught = shape, backbone.weights.head.weight, taught
        self._norm = plain_norm(shape)
        self.of_state = nn.Parameter(torch.eye(shape.hidden_size))
        self.of_token = nn.Parameter(torch.zeros(shape.hidden_size, shape.hidden_size))
        final_norm = backbone.weights.final_norm
        self.reading = TrainableExit(shape, final_norm, width, torch.Generator().manual_seed(seed))
        self.reading.scale.fill_(REACH)  # of states that are brought to size 1

    @torch.no_grad()
    def begin_as(self, network: DraftNetwork) -> None:
        """Take over a trained network, whatever it chooses among; raise `TrainingError` where its width is another."""
        if (width := width_of(network.head)) != self.reading.width():
            raise TrainingError(f"the drafter to go on from has width {width}: give --width {width}")
        self.of_state.copy_(network.of_state.weight)
        self.of_token.copy_(network.of_token.weight)
        self.reading.begin_as(network.head)

    def forward(self, states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the head reads and the states made up, both [rows, hidden], for states and tokens [rows]."""
        shape, head = self._shape, self.reading.as_head()
        rows = normalise(shape, self._rows[tokens].float(), self._norm)
        mixed = functional.linear(normalise(shape, states, self._norm), self.of_state).float()
        made_up = translate(shape, head, mixed + functional.linear(rows, self.of_token).float()).float()
        return normalise(shape, made_up, head.norm), made_up

    def learned(self, shortlist: int) -> DraftNetwork:
        """Return the network, without gradients, to choose among the first so many of what it was taught."""
        head = detached(self.reading.as_head())
        of_state, of_token = (Linear(part.detach().clone()) for part in (self.of_state, self.of_token))
        return DraftNetwork(of_state, of_token, ExitHead(head.norm, head.translator, self.taught[:shortlist].clone()))
