"""When not to compute: each rule is an objection against a place. What is in the cache is shown all the same."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from greencode_lsp.server.place import Place
from greencode_lsp.server.settings import Settings

Rule = Callable[[Place, Settings], bool]
"""Says whether it objects."""


def another_language(place: Place, settings: Settings) -> bool:
    """Object to languages that the user has not named, where any are named."""
    return bool(settings.languages) and place.language not in settings.languages


def excluded_path(place: Place, settings: Settings) -> bool:
    """Object to files that a pattern names: by their name, or by their path where the pattern has a slash."""
    name = place.path.rsplit("/", 1)[-1]
    return any(
        fnmatchcase(place.path, pattern) or fnmatchcase(place.path, "*/" + pattern.removeprefix("**/"))
        if "/" in pattern
        else fnmatchcase(name, pattern)
        for pattern in settings.exclude
    )


def only_on_demand(place: Place, settings: Settings) -> bool:
    """Object to everything that the user has not asked for, where that is how they want it."""
    return not settings.automatic


def after_deletion(place: Place, settings: Settings) -> bool:
    """Object right after a deletion: who takes text away is about to type something else."""
    return place.after_deletion


def only_moved(place: Place, settings: Settings) -> bool:
    """Object where the cursor has moved and nothing was typed: some clients ask then, too."""
    return place.only_moved


def inside_word(place: Place, settings: Settings) -> bool:
    """Object between two characters of a word: it is being corrected, and no suggestion would fit."""
    return is_word(place.prefix[-1:]) and is_word(place.suffix[:1])


ALWAYS: Sequence[Rule] = (another_language, excluded_path)
"""Rules for every request, from the cache or not."""

WHILE_TYPING: Sequence[Rule] = (only_on_demand, after_deletion, only_moved, inside_word)
"""Rules for requests that an editor makes by itself."""


def objection(rules: Sequence[Rule], place: Place, settings: Settings) -> str | None:
    """Return the name of the first rule that objects, or None."""
    return next((rule.__name__ for rule in rules if rule(place, settings)), None)


def is_word(character: str) -> bool:
    """Say whether a character belongs to a word."""
    return character.isalnum() or character == "_"
