"""A cursor in a document, as far as suggesting there is concerned."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    r"""Where a suggestion is asked for, with all the text around it.

    Lines of `prefix` and `suffix` end in `\\n`, those of the document in `line_end`.
    `path` is a file's path or a name with slashes, for filters. `after_deletion`: the last change only took text away.
    `only_moved`: the text is the same as when a suggestion was asked for elsewhere in it.
    """

    document: str
    language: str
    prefix: str
    suffix: str
    path: str = ""
    line_end: str = "\n"
    after_deletion: bool = False
    only_moved: bool = False
