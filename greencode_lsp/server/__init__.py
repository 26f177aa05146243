"""The language server: speaks LSP, knows nothing of models."""
