"""When to exit: policies look at the state behind an exit and say exit, read, continue or stop.

Policies that were trained are in `greencode_lsp.policy.learned`, which needs numpy and is imported where one is used.
"""

from greencode_lsp.policy.base import Policy, Reading, Verdict, judge
from greencode_lsp.policy.bundle import BundlePolicy, load_bundle_policy
from greencode_lsp.policy.calibration import Bound, Calibration
from greencode_lsp.policy.confidence import Confidence
from greencode_lsp.policy.controls import FixedExit, NeverExit, RandomExit
from greencode_lsp.policy.errors import PolicyError

__all__ = [
    "Bound",
    "BundlePolicy",
    "Calibration",
    "Confidence",
    "FixedExit",
    "NeverExit",
    "Policy",
    "PolicyError",
    "RandomExit",
    "Reading",
    "Verdict",
    "judge",
    "load_bundle_policy",
]
