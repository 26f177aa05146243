"""Drafts by a small network: what full depth's last state, and the token chosen there, make likely one token later.

A state knows more of what comes than the token it chose. One linear map brings it and that token's row of the LM head
together; what comes of that is read as an exit's state is, through an MLP, a norm and a shortlist of the head: for the
cost of little more than a layer. Behind its own draft it goes on from the state that it has made up. The idea: EAGLE
(Y. Li et al. 2024, arXiv 2401.15077), whose network attends to earlier rows as well, and Hydra (Z. Ankner et al. 2024,
arXiv 2402.05109), whose does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Linear
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.exits import (
    ExitHead,
    HeadReader,
    checked_shortlist,
    head_tensors,
    with_codes,
    with_matrices,
)
from greencode_lsp.engine.validation import converted
from greencode_lsp.files import replace_file
from greencode_lsp.reading import check_regular

DRAFTER_FILE = "drafter.safetensors"

FORMAT = "1"

PREFIX = "drafter"

SHORTLIST = "shortlist"


@dataclass(frozen=True)
class DraftNetwork:
    """What drafts a token: maps [hidden, hidden] of a state and of a token's row of the LM head, and a head.

    Both are brought to one size first, by the family's own norm without weights, and their maps are added up.
    """

    of_state: Linear
    of_token: Linear
    head: ExitHead


class Draft(NamedTuple):
    """A token that may come, how likely the network calls it, and the state [1, hidden] it made up for that place."""

    id: int
    probability: float
    state: Tensor


class Drafter(Protocol):
    """Computes a network for one runner."""

    network_bytes: int
    """Bytes of weights that it reads before the head."""

    shortlist_bytes: int
    """Bytes of weights that its shortlist reads in place of the head."""

    def draft(self, state: Tensor, token: int, words: tuple[int, ...]) -> Draft:
        """Say what mostly comes behind a token that was chosen by a state [1, hidden] at full depth.

        `words` are tokens of the text that are read beside the shortlist. Raises `NumericalError` where no logit is a
        number.
        """


class DraftChain:
    """Drafts one behind the other, from the state [1, hidden] at full depth that the last sure token was chosen by.

    `noted` is called before each.
    """

    def __init__(self, drafter: Drafter, state: Tensor, words: tuple[int, ...], noted: Callable[[], None]) -> None:
        self._drafter, self._state, self._words, self._noted = drafter, state, words, noted

    def following(self, token: int) -> Draft:
        """Return what may come behind a token: the last sure one, and then each that is supposed to follow."""
        self._noted()
        found = self._drafter.draft(self._state, token, self._words)
        self._state = found.state
        return found


def save_drafter(path: Path, network: DraftNetwork, identity: str) -> None:
    """Write a network in 4 bits; `identity` is that of the weights it was trained on."""
    tensors = head_tensors(PREFIX, network.head)
    for name, linear in (("of_state", network.of_state), ("of_token", network.of_token)):
        tensors[f"{PREFIX}.{name}.weight"] = linear.weight.detach().contiguous()
    named = {name: part.contiguous() for name, part in with_codes(tensors).items()}
    assert network.head.shortlist is not None, "it reads one"
    named[SHORTLIST] = network.head.shortlist.to(torch.int32)
    replace_file(path, save(named, {"format": FORMAT, "weights_sha256": identity}))


def load_drafter(path: Path, shape: Architecture, identity: str = "") -> DraftNetwork:
    """Return the network of a file in float32; raise `EngineError` in one line when it is not this model's."""
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            facts = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        shortlist = tensors.pop(SHORTLIST, None)
        tensors = converted(with_matrices(tensors), path)
    except EngineError:
        raise
    except Exception as error:  # safetensors raises its own, undocumented types
        raise EngineError(f"{path} is not a readable drafter: {error!r}; train it again") from error
    if facts.get("format") != FORMAT:
        raise EngineError(f"{path} has format {facts.get('format')!r}, this greencode reads {FORMAT!r}; train it again")
    if identity and facts.get("weights_sha256", "") not in ("", identity):
        raise EngineError(f"{path} was trained on other weights than this model's; train it again or fetch its model")
    ids = checked_shortlist(path, shortlist, shape)
    if ids is None:
        raise EngineError(f"{path} has no shortlist of tokens; train it again")
    reader, size = HeadReader(path, tensors, shape), shape.hidden_size
    of_state, of_token = (reader.linear(f"{PREFIX}.{part}", size, size) for part in ("of_state", "of_token"))
    return DraftNetwork(of_state, of_token, reader.head(PREFIX, ids))
