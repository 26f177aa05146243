"""What can go wrong in training, each with one line a user can act on."""

from greencode_lsp.errors import UserError


class TrainingError(UserError):
    """A recipe, corpus or run that training cannot work with."""
