"""When to exit: policies look at the state behind an exit and say exit, continue or stop."""

from greencode_lsp.policy.base import Policy, Reading, Verdict
from greencode_lsp.policy.confidence import Confidence
from greencode_lsp.policy.controls import FixedExit, NeverExit, RandomExit

__all__ = ["Confidence", "FixedExit", "NeverExit", "Policy", "RandomExit", "Reading", "Verdict"]
