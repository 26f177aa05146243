"""What can go wrong with a corpus and is the user's to mend."""

from greencode_lsp.errors import UserError


class CorpusError(UserError):
    """A corpus, a package list or an evaluation set that cannot be used, or a package that cannot be fetched."""


class RegistryError(CorpusError):
    """A whole registry that cannot be reached from this machine, whatever the package."""
