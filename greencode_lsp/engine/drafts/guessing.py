"""How many guesses at the next tokens to check in one run: as many as make a token cheapest.

Guesses come from the text itself (`lookup`) and from a table of what mostly follows in code (`ngrams`).
How often those of each kind were right decides, with what further rows cost on this machine, how many more are made.
"""

from collections.abc import Iterable, Sequence

from greencode_lsp.engine.drafts.lookup import LONGEST_MATCH, Match, PromptLookup
from greencode_lsp.engine.drafts.ngrams import LEAST_LIKELY, NgramTable
from greencode_lsp.engine.model import FEW_ROWS

GUESSES = FEW_ROWS - 1
"""Tokens guessed at once at most, beside the last sure one."""

MEMORY = 0.95
"""Weight of the past in the running means."""

RELIABLE = 2
"""A match of so many tokens is believed before a table that knows other texts."""

EXPECTED_OF_MATCHES = (0.28, 0.52, 0.66, 0.71, 0.74, 0.79, 0.85, 0.90)
"""How likely a guess behind a match of 1, 2, ... tokens is right where those before it are, until something is known of
this text: about what was counted in 60 continuations of calibration projects by the default model, in `exact`."""

EXPECTED_OF_TABLE = (0.13, 0.20, 0.31, 0.36, 0.51, 0.57, 0.66, 0.75, 0.88)
"""How likely one from the table is that calls it 0.1 to 0.2, 0.2 to 0.3, ... likely: between what was counted there,
where few were, and on 53,064 tokens of held-out projects."""

TABLE_STEP = (1 - LEAST_LIKELY) / len(EXPECTED_OF_TABLE)


class GuessRecord:
    """How likely guesses of each kind are right, and what tokens cost otherwise, in one session.

    Kinds are numbers: first matches by their length, then what a table says by how likely that calls it.
    Prices are in tokens at full depth. `run_prices[i]` is what a run with i guesses costs, in runs without any.
    """

    def __init__(self, run_prices: Sequence[float]) -> None:
        self._likely = [*EXPECTED_OF_MATCHES, *EXPECTED_OF_TABLE]
        self._run_prices = run_prices
        self._token_price, self._ending_price = 1.0, 1.0  # of a token that was not guessed, and of one where runs ended

    @staticmethod
    def of_match(length: int) -> int:
        """Return the kind of what followed a match of that many tokens."""
        return length - 1

    @staticmethod
    def of_table(likely: float) -> int:
        """Return the kind of what a table calls so likely."""
        step = int((likely - LEAST_LIKELY) / TABLE_STEP)
        return LONGEST_MATCH + min(step, len(EXPECTED_OF_TABLE) - 1)

    def likely(self, kind: int) -> float:
        """Return how likely a guess of a kind is right where those before it are."""
        return self._likely[kind]

    def price(self, guesses: int, tokens: float) -> float:
        """Return what a token costs of a run with so many guesses that so many tokens are expected of."""
        return self._ending_price * self._run_prices[guesses] / tokens

    def pays(self, price: float) -> bool:
        """Say whether a token that costs so much is cheaper than one that is not guessed.

        Where exits make tokens cheaper than runs, for every row of a run goes as deep as the deepest, a run must bring
        more.
        """
        return price < self._token_price

    def paid(self, price: float) -> None:
        """Note what a token cost that was not guessed."""
        self._token_price = MEMORY * self._token_price + (1 - MEMORY) * price

    def judged(self, kinds: Sequence[int], right: int, wrong: bool, price: float) -> None:
        """Note that of guesses of these kinds the first `right` were, and whether the next was wrong.

        `price` is what a token costs where the run ended.
        """
        for index, kind in enumerate(kinds[: right + wrong]):
            self._likely[kind] = MEMORY * self._likely[kind] + (1 - MEMORY) * (index < right)
        self._ending_price = MEMORY * self._ending_price + (1 - MEMORY) * price

    def passed(self, kind: int) -> None:
        """Note a guess that was not made: its kind slowly seems likelier, so that guessing is tried again."""
        pays = self._ending_price * self._run_prices[1] / self._token_price - 1
        self._likely[kind] = min(MEMORY * self._likely[kind] + (1 - MEMORY) * pays * 1.1, 1.0)


class Guesser:
    """Guesses at what comes next in a text, and learns from what becomes of them."""

    def __init__(self, record: GuessRecord, tokens: Iterable[int], table: NgramTable | None = None) -> None:
        self._record, self._table = record, table
        self._lookup = PromptLookup(tokens)
        self._kinds: list[int] = []  # of the guesses made last

    def add(self, token: int) -> None:
        """Append a token that is sure."""
        self._lookup.add(token)

    def guesses(self, limit: int) -> list[int]:
        """Return up to `limit` guesses at what comes next; none where nothing is known or guessing does not pay."""
        record, lookup = self._record, self._lookup
        made: list[int] = []
        self._kinds = []
        price, likely, tokens = record.price(0, 1.0), 1.0, 1.0
        match = lookup.longest_match()
        while len(made) < min(limit, GUESSES) and (found := self._likeliest(match)) is not None:
            guess, kind = found
            likely *= record.likely(kind)
            tokens += likely
            with_it = record.price(len(made) + 1, tokens)
            if with_it >= price:
                if not made:
                    record.passed(kind)
                break
            price = with_it
            made.append(guess)
            self._kinds.append(kind)
            lookup.suppose(guess)
            match = lookup.following(match)
        lookup.forget()
        if made and not record.pays(price):
            record.passed(self._kinds[0])
            return []
        return made

    def judged(self, right: int, wrong: bool, price: float) -> None:
        """Note how many of the last guesses were right, whether one was wrong, and what a token costs there."""
        self._record.judged(self._kinds, right, wrong, price)

    def _likeliest(self, match: Match | None) -> tuple[int, int] | None:
        """Return a guess at the next token, given the text's longest match, and the guess's kind."""
        known: list[tuple[int, int]] = []
        if match is not None:
            known.append((self._lookup.behind(match), self._record.of_match(match.length)))
        if self._table is not None and (match is None or match.length < RELIABLE):
            listed = self._table.likeliest(self._lookup.tokens)
            if listed is not None:
                known.append((listed[0], self._record.of_table(listed[1])))
        return max(known, key=lambda one: self._record.likely(one[1]), default=None)
