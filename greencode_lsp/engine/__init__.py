"""Early-exit decoding: a backbone in segments, sessions that keep what was computed, and a decoder."""

from greencode_lsp.engine.backbone import Backbone, load_backbone
from greencode_lsp.engine.decoder import Request, generate
from greencode_lsp.engine.errors import Cancelled, EngineError, NumericalError
from greencode_lsp.engine.model import EarlyExitModel
from greencode_lsp.engine.result import Finish, Generation, Token, Work
from greencode_lsp.engine.runner import Runner, load_runner
from greencode_lsp.engine.session import Session

__all__ = [
    "Backbone",
    "Cancelled",
    "EarlyExitModel",
    "EngineError",
    "Finish",
    "Generation",
    "NumericalError",
    "Request",
    "Runner",
    "Session",
    "Token",
    "Work",
    "generate",
    "load_backbone",
    "load_runner",
]
