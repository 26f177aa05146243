"""A stack with a limit."""


class StackFullError(Exception):
    """Raised when a stack has no room left."""


class StackEmptyError(Exception):
    """Raised when a stack has nothing left."""


class Stack:
    """A last-in, first-out collection of at most `limit` items."""

    def __init__(self, limit):
        self.limit = limit
        self.items = []

    def push(self, item):
        """Put an item on top; raise StackFullError when there is no room."""
        if len(self.items) >= self.limit:
            raise StackFullError(f"cannot hold more than {self.limit} items")
        self.items.append(item)

    def pop(self):
        """Take the item from the top and return it."""
