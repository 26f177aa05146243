"""What can be wrong with an evaluation's data or results."""

from greencode_lsp.errors import UserError


class EvaluationError(UserError):
    """Rows, results or a selection that cannot be used."""
