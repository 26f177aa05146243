"""The one kind of error that is the user's to mend."""

MOST_CHARACTERS = 1000
"""Of a message. Some quote what a stranger has written."""

KEPT_AT_THE_END = 300
"""Of a longer message: the cure stands there."""


class UserError(Exception):
    """Something a user can put right. Its message is one line that names the thing and the cure."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """Return a text without line breaks, control characters and halves of surrogate pairs, and of bounded length."""
    line = text
    if not text.isprintable():
        line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if len(line) <= MOST_CHARACTERS:
        return line
    return f"{line[: MOST_CHARACTERS - KEPT_AT_THE_END]} ... {line[-KEPT_AT_THE_END:]}"


def installing(extra: str) -> str:
    """Return what brings the libraries of an extra. By name it cannot be: PyPI's "greencode" is another project."""
    return f"in greencode's folder run: pip install '.[{extra}]'"
