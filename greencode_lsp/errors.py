"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """Something a user can put right. Its message is one line that names the thing and the cure."""
