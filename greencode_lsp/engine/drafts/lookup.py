"""Drafts that cost no layer: what followed the last tokens where they stood in the text before.

Source code repeats itself, and a model that sees a text twice says it again. So the tokens behind the longest earlier
match are guesses at what comes next, and several of them are checked in one run that streams the weights once. The
idea: A. Saxena 2023, "Prompt Lookup Decoding" (github.com/apoorvumang/prompt-lookup-decoding); transformers has it as
`prompt_lookup_num_tokens`. Here a longer match is preferred to a later one; `guessing` decides how much is made of
it.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

LONGEST_MATCH = 8

PLACES = 64
"""Earlier places of the last token that are looked at, the latest first: a line break may have hundreds."""


class Match(NamedTuple):
    """Where the last tokens stood before: the place of the last of them, and how many are the same, at most 8."""

    place: int
    length: int


class PromptLookup:
    """The sure tokens of a text, perhaps some behind that are only supposed, and where each sure one stands."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self.tokens: list[int] = []
        self._places: defaultdict[int, list[int]] = defaultdict(list)
        self._sure = 0
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """Append a token that is sure."""
        self._places[token].append(len(self.tokens))
        self.tokens.append(token)
        self._sure += 1

    def suppose(self, token: int) -> None:
        """Append a token until `forget`."""
        self.tokens.append(token)

    def forget(self) -> None:
        """Drop what is only supposed."""
        del self.tokens[self._sure :]

    def longest_match(self) -> Match | None:
        """Return the earlier place of the last token with the longest match before it, None where it is new."""
        tokens, last = self.tokens, len(self.tokens) - 1
        best, longest = 0, 0
        for place in reversed(self._places.get(tokens[last], [])[-PLACES - 1 :]):
            if place == last:
                continue
            length = 1
            while length < LONGEST_MATCH and length <= place and tokens[place - length] == tokens[last - length]:
                length += 1
            if length > longest:
                best, longest = place, length
                if longest == LONGEST_MATCH:
                    break
        return Match(best, longest) if longest else None

    def behind(self, match: Match) -> int:
        """Return the token that followed a match."""
        return self.tokens[match.place + 1]

    def following(self, match: Match | None) -> Match | None:
        """Return the match after one more token: the same one, longer, where that token followed it."""
        if match is not None and self.behind(match) == self.tokens[-1]:
            return Match(match.place + 1, min(match.length + 1, LONGEST_MATCH))
        return self.longest_match()
