"""`greencode`: the door for people. Each command is a module."""

from greencode_lsp.cli.main import main

__all__ = ["main"]
