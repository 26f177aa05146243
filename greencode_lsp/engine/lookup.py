"""Drafts that cost no layer: what followed the last tokens where they stood in the text before.

Source code repeats itself, and a model that sees a text twice says it again. So the tokens behind the longest earlier
match are guesses at what comes next, and several of them are checked in one run that streams the weights once.
The idea: A. Saxena 2023, "Prompt Lookup Decoding" (github.com/apoorvumang/prompt-lookup-decoding); transformers has it
as `prompt_lookup_num_tokens`. Here a longer match is preferred to a later one, and how often guesses behind matches of
each length were right decides, with what further rows cost on this machine, how many more are made.
"""

from collections import defaultdict
from collections.abc import Iterable

DRAFTS = 3
"""Tokens guessed at once at most: with the last sure one they are four rows."""

LONGEST_MATCH = 8

PLACES = 64
"""Earlier places of the last token that are looked at, the latest first: a line break may have hundreds."""

MEMORY = 0.95
"""Weight of the past in the running means."""

EXPECTED = (0.46, 0.54, 0.64, 0.74, 0.77, 0.81, 0.85, 0.91)
"""How likely a guess behind a match of 1, 2, ... tokens is right where those before it are, until something is known of
this text: so that of three guesses as many are right as were measured in 80 continuations of PY150 and JavaCorpus by
the default model (0.8, 1.0, 1.3, 1.7, 1.8, 2.0, 2.2, 2.5)."""


class LookupRecord:
    """How likely guesses are right behind matches of each length, and what tokens cost otherwise, in one session.

    Prices are in tokens at full depth. `row_price` is what a further row adds to a run, as a share of the first.
    """

    def __init__(self, row_price: float) -> None:
        self._likely = list(EXPECTED)
        self._row_price = row_price
        self._token_price, self._run_price = 1.0, 1.0  # of a token that was not guessed, and of one where runs ended

    def paid(self, price: float) -> None:
        """Note what a token cost that was not guessed."""
        self._token_price = MEMORY * self._token_price + (1 - MEMORY) * price

    def guesses(self, match: int) -> int:
        """Return with how many guesses behind a match of that many tokens a token is cheapest; 0 without any."""
        likely = self._likely[match - 1]
        count = min(range(1, DRAFTS + 1), key=lambda count: self._price(count, likely))
        return count if self._price(count, likely) < self._token_price else 0

    def judged(self, match: int, right: int, wrong: bool, price: float) -> None:
        """Note how many guesses behind such a match were right, whether one was wrong, and what a token costs there."""
        for one in [1.0] * right + [0.0] * wrong:
            self._likely[match - 1] = MEMORY * self._likely[match - 1] + (1 - MEMORY) * one
        self._run_price = MEMORY * self._run_price + (1 - MEMORY) * price

    def passed(self, match: int) -> None:
        """Note a match that was not used: it slowly seems likelier, so that guessing is tried again."""
        pays = self._run_price * (1 + self._row_price) / self._token_price - 1
        self._likely[match - 1] = min(MEMORY * self._likely[match - 1] + (1 - MEMORY) * pays * 1.1, 1.0)

    def _price(self, count: int, likely: float) -> float:
        """Return what a token costs that comes of a run with so many guesses.

        Each right one spares a token, and so does what is read behind the last of them. Where exits make tokens cheaper
        than runs, for every row of a run goes as deep as the deepest, a run must bring more.
        """
        tokens = sum(likely**index for index in range(count + 1))
        return self._run_price * (1 + self._row_price * count) / tokens


class PromptLookup:
    """The sure tokens of a text, and where each stands in it."""

    def __init__(self, record: LookupRecord, tokens: Iterable[int]) -> None:
        self._record = record
        self._tokens: list[int] = []
        self._places: defaultdict[int, list[int]] = defaultdict(list)
        self._match = 0
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """Append a token that is sure."""
        self._places[token].append(len(self._tokens))
        self._tokens.append(token)

    def drafts(self, limit: int) -> list[int]:
        """Return up to `limit` guesses at what comes next; none where nothing matches or guessing does not pay."""
        place, self._match = self._longest_match()
        if not self._match:
            return []
        count = self._record.guesses(self._match)
        if not count:
            self._record.passed(self._match)
        guesses: list[int] = []
        for index in range(place + 1, place + 1 + min(limit, count)):
            beyond = index - len(self._tokens)
            guesses.append(self._tokens[index] if beyond < 0 else guesses[beyond])
        return guesses

    def judged(self, right: int, wrong: bool, price: float) -> None:
        """Note how many of the last guesses were right, whether one was wrong, and what a token costs there."""
        self._record.judged(self._match, right, wrong, price)

    def _longest_match(self) -> tuple[int, int]:
        """Return the earlier place of the last token with the longest match before it, and its length, at most 8."""
        tokens, last = self._tokens, len(self._tokens) - 1
        best, longest = 0, 0
        for place in reversed(self._places[tokens[last]][-PLACES - 1 : -1]):
            length = 1
            while length < LONGEST_MATCH and length <= place and tokens[place - length] == tokens[last - length]:
                length += 1
            if length > longest:
                best, longest = place, length
                if longest == LONGEST_MATCH:
                    break
        return best, longest
