"""A cursor in a document, as far as suggesting there is concerned."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a suggestion is asked for, with all the text around it.

    `path` is a file's path or a name with slashes, for filters. `after_deletion`: the last change only took text away.
    `only_moved`: the text is the same as when a suggestion was asked for elsewhere in it.
    """

    document: str
    language: str
    prefix: str
    suffix: str
    path: str = ""
    after_deletion: bool = False
    only_moved: bool = False
