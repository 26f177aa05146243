"""What can be wrong with a policy's files."""

from greencode_lsp.errors import UserError


class PolicyError(UserError):
    """A policy or calibration file that cannot be used."""
