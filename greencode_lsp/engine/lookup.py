"""Drafts that cost no layer: what followed the last tokens where they stood in the text before.

Source code repeats itself, and a model that sees a text twice says it again. So the tokens behind the longest earlier
match are guesses at what comes next, and several of them are checked in one run that streams the weights once.
The idea: A. Saxena 2023, "Prompt Lookup Decoding" (github.com/apoorvumang/prompt-lookup-decoding); transformers has it
as `prompt_lookup_num_tokens`. Here a longer match is preferred to a later one, and how often guesses behind matches of
each length were right decides whether more are made.
"""

from collections import defaultdict
from collections.abc import Iterable

DRAFTS = 3
"""Tokens guessed at once: with the last sure one they are four rows, 1.3 times the price of one; eight are twice it."""

RUN_PRICE = 1.4
"""What such a run costs, in tokens read where it ends: four rows take 1.25 to 1.4 times one row's energy."""

LONGEST_MATCH = 8

PLACES = 64
"""Earlier places of the last token that are looked at, the latest first: a line break may have hundreds."""

MEMORY = 0.95
"""Weight of the past in the running means."""

EXPECTED = (0.8, 1.0, 1.3, 1.7, 1.8, 2.0, 2.2, 2.5)
"""Right guesses of three behind a match of 1, 2, ... tokens, until something is known of this text. Measured: 80
continuations of PY150 and JavaCorpus by the default model."""


class LookupRecord:
    """How many guesses were right behind matches of each length, and what tokens cost otherwise, in one session."""

    def __init__(self) -> None:
        self._right = list(EXPECTED)
        self._token_price, self._run_price = 1.0, RUN_PRICE

    @property
    def worth(self) -> float:
        """Right guesses per run below which guessing costs more than it brings.

        Each spares a token, and so does the one behind the last right guess. Where exits make tokens cheaper than
        runs, for every row of a run goes as deep as the deepest, a run must bring more of them.
        """
        return self._run_price / self._token_price - 1

    def paid(self, price: float) -> None:
        """Note what a token cost that was not guessed, as a share of one at full depth."""
        self._token_price = MEMORY * self._token_price + (1 - MEMORY) * price

    def pays(self, match: int) -> bool:
        """Say whether guessing behind a match of that many tokens is worth its cost."""
        return self._right[match - 1] > self.worth

    def judged(self, match: int, right: int, price: float) -> None:
        """Note how many guesses behind such a match were right, and what a token costs where their run ended."""
        self._right[match - 1] = MEMORY * self._right[match - 1] + (1 - MEMORY) * right
        self._run_price = MEMORY * self._run_price + (1 - MEMORY) * RUN_PRICE * price

    def passed(self, match: int) -> None:
        """Note a match that was not used: its mean slowly recovers, so that guessing is tried again."""
        self._right[match - 1] = MEMORY * self._right[match - 1] + (1 - MEMORY) * self.worth * 1.1


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
        if not self._record.pays(self._match):
            self._record.passed(self._match)
            return []
        guesses: list[int] = []
        for index in range(place + 1, place + 1 + min(limit, DRAFTS)):
            beyond = index - len(self._tokens)
            guesses.append(self._tokens[index] if beyond < 0 else guesses[beyond])
        return guesses

    def judged(self, right: int, price: float) -> None:
        """Note how many of the last guesses were right, and what a token costs where their run ended."""
        self._record.judged(self._match, right, price)

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
