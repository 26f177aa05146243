"""What a policy is asked, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Verdict(Enum):
    """What to do with the last row behind an exit."""

    EXIT = "exit"
    """Good enough: read the token here."""
    READ = "read"
    """Perhaps good enough: read the token here, and ask again with its probability."""
    CONTINUE = "continue"
    """Run the next segment."""
    STOP = "stop"
    """Give up: nothing worth showing will come of this text."""


@dataclass(frozen=True)
class Reading:
    """What can be seen behind an exit. Shapes: hidden [hidden].

    `probability` is that of the token that the exit would say, None where nobody has read it. To read it costs as much
    as leaving here would: a policy answers `READ` where it would leave, and not everywhere.
    """

    exit_index: int
    exit_layer: int
    hidden: Tensor
    probability: float | None = None


class Policy(Protocol):
    """Decides, token by token, how deep to go. May keep state of its own, but none that a text depends on."""

    def decide(self, reading: Reading) -> Verdict:
        """Judge the row that stands behind an exit."""


def judge(policy: Policy, reading: Reading, read: Callable[[], float]) -> Verdict:
    """Return a policy's last word on a row; `read` reads the token and returns its probability, where it wants that."""
    verdict = policy.decide(reading)
    if verdict is Verdict.READ:
        verdict = policy.decide(replace(reading, probability=read()))
    return verdict
