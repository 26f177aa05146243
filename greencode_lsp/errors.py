"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """Something a user can put right. Its message is one line that names the thing and the cure."""


def installing(extra: str) -> str:
    """Return what brings the libraries of an extra. By name it cannot be: PyPI's "greencode" is another project."""
    return f"in greencode's folder run: pip install '.[{extra}]'"
