"""When not to compute: each rule is an objection against a place. What is in the cache is shown all the same."""

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from greencode_lsp.server.place import Place
from greencode_lsp.server.settings import Settings

LANGUAGE = "language:"
"""Begins a pattern for language ids."""

DRIVE = re.compile(r"/[A-Za-z]:(/|$)")

Rule = Callable[[Place, Settings], bool]
"""Says whether it objects."""


def another_language(place: Place, settings: Settings) -> bool:
    """Object to languages that the user has not named, where any are named."""
    return bool(settings.languages) and place.language not in settings.languages


def excluded_path(place: Place, settings: Settings) -> bool:
    """Object to files that a pattern names: by their name, or by their path where the pattern has a slash."""
    return excluding_pattern(place.path, place.language, settings.exclude) is not None


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


def excluding_pattern(path: str, language: str, patterns: Sequence[str]) -> str | None:
    r"""Return the pattern that excludes a document, None where it is not excluded.

    The last pattern that matches decides; one with `!` in front lets the document in again. Upper and lower case are
    the same, and in patterns `\` and `/`, too. `language:ID` matches documents of that language, whatever their name.
    """
    matching = (each for each in reversed(patterns) if matches(each.removeprefix("!"), path, language))
    last = next(matching, None)
    return None if last is None or last.startswith("!") else last


def matches(pattern: str, path: str, language: str) -> bool:
    """Say whether a pattern, without `!`, matches a document: its language, its path or its file's name."""
    pattern, path = pattern.replace("\\", "/").lower(), path.lower()
    if pattern.startswith(LANGUAGE):
        return fnmatchcase(language.lower(), pattern.removeprefix(LANGUAGE))
    if "/" not in pattern:
        return fnmatchcase(path.rsplit("/", 1)[-1], pattern)
    return fnmatchcase(path, pattern) or fnmatchcase(f"/{path}", "*/" + pattern.removeprefix("**/"))


def reason_against(place: Place, settings: Settings) -> str:
    """Return in one line why a document gets no suggestions at all, "" where it gets them."""
    match objection(ALWAYS, place, settings):
        case None:
            return ""
        case "another_language":
            return f"no suggestions in {place.language or 'this language'}: greencode.languages does not name it"
        case _:
            name = place.path.rsplit("/", 1)[-1]
            pattern = excluding_pattern(place.path, place.language, settings.exclude)
            return f"no suggestions in {name}: greencode.exclude has {pattern}"


def path_of(uri: str) -> str:
    """Return the path in a URI of any scheme, with slashes on every system: `c:/Users/me/a.py`, `Untitled-1`."""
    if uri.startswith("file:"):  # has neither query nor fragment, but some clients leave these characters as they are
        uri = uri.replace("?", "%3F").replace("#", "%23")
    parts = urlsplit(uri)
    path = unquote(f"//{parts.netloc}{parts.path}" if parts.netloc and parts.scheme == "file" else parts.path)
    path = path.replace("\\", "/")
    return path[1:] if DRIVE.match(path) else path
