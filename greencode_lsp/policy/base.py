"""What a policy is asked, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Verdict(Enum):
    """What to do with the last row behind an exit."""

    EXIT = "exit"
    """Good enough: read the token here."""
    CONTINUE = "continue"
    """Run the next segment."""
    STOP = "stop"
    """Give up: nothing worth showing will come of this text."""


@dataclass(frozen=True)
class Reading:
    """What can be seen behind an exit. Shapes: hidden [hidden].

    `likeliest` reads the token that the exit would say, and returns its probability. That costs as much as leaving here
    would: a policy asks where it would leave, and not everywhere.
    """

    exit_index: int
    exit_layer: int
    hidden: Tensor
    likeliest: Callable[[], float]


class Policy(Protocol):
    """Decides, token by token, how deep to go. May keep state of its own, but none that a text depends on."""

    def decide(self, reading: Reading) -> Verdict:
        """Judge the row that stands behind an exit."""
