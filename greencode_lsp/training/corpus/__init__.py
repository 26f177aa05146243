"""The corpus: token ids of pinned, permissively licensed projects, split by project and clear of evaluation rows."""

from greencode_lsp.training.corpus.errors import CorpusError
from greencode_lsp.training.corpus.reader import SPLITS, Corpus, CorpusPackage

__all__ = ["SPLITS", "Corpus", "CorpusError", "CorpusPackage"]
