"""Fitting a suggestion to what stands around it: the one place that decides whether a text is shown, and how much."""

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.fitting.fit import Fitted, fit

__all__ = ["Cursor", "Fitted", "fit"]
