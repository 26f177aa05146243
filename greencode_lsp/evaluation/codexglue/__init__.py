"""CodeXGLUE's code completion data: its tokens from source, source from its tokens, and its evaluator.

Formats as in microsoft/CodeXGLUE, Code-Code/CodeCompletion-line (arXiv 2102.04664); written from their description.
"""
