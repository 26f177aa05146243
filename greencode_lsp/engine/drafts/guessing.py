"""How many guesses at the next tokens to check in one run: as many as make a token cheapest.

Guesses come from the text itself (`lookup`), from a table of what mostly follows in code (`ngrams`), and where these
know little from a small network (`drafter`), which costs something to ask. How often those of each kind were right
decides, with what further rows cost on this machine, how many more are made.
"""

from collections.abc import Iterable, Sequence

from greencode_lsp.engine.drafts.drafter import DraftChain
from greencode_lsp.engine.drafts.lookup import LONGEST_MATCH, Match, PromptLookup
from greencode_lsp.engine.drafts.ngrams import LEAST_LIKELY, NgramTable
from greencode_lsp.engine.model import FEW_ROWS, EarlyExitModel

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

EXPECTED_OF_NETWORK = (0.10, 0.22, 0.28, 0.34, 0.38, 0.52, 0.67, 0.78, 0.82, 0.91)
"""How likely one from the network is that calls it less than 0.1, 0.1 to 0.2, ... likely, where it was asked: about
what was counted in 100 continuations of calibration projects, as are those below."""

EXPECTED_OF_BOTH = (0.30, 0.60, 0.69, 0.77, 0.79, 0.80, 0.83, 0.89, 0.96, 0.99)
"""How likely one is that the network calls so likely, and that was at hand as well."""

ASK_BELOW = 0.5
"""The network is asked where no other guess is likelier than this. Asked up to 0.65 it cost more than it brought."""

EXPECTED_GAIN = 0.2
"""By how much likelier its guess is than what was at hand, until something is known."""

ASK_AGAIN = 16
"""Where asking does not pay, it is tried again after so many times."""

TABLE_STEP = (1 - LEAST_LIKELY) / len(EXPECTED_OF_TABLE)


class GuessRecord:
    """How likely guesses of each kind are right, and what tokens cost otherwise, in one session.

    Kinds are numbers: first matches by their length, then what a table says by how likely that calls it, then what the
    network says likewise. Prices are in tokens at full depth. `run_prices[i]` is what a run with i guesses costs, in
    runs without any, `ask_price` what the network costs for one guess.
    """

    def __init__(self, run_prices: Sequence[float], ask_price: float = 0.0) -> None:
        self._likely = [*EXPECTED_OF_MATCHES, *EXPECTED_OF_TABLE, *EXPECTED_OF_NETWORK, *EXPECTED_OF_BOTH]
        self._run_prices, self._ask_price = run_prices, ask_price
        self._gain, self._not_asked = EXPECTED_GAIN, 0
        self._token_price, self._ending_price = 1.0, 1.0  # of a token that was not guessed, and of one where runs ended

    @classmethod
    def of(cls, model: EarlyExitModel) -> "GuessRecord":
        """Return a record that knows nothing yet, with a model's prices."""
        return cls(model.run_prices, model.draft_price)

    @staticmethod
    def of_match(length: int) -> int:
        """Return the kind of what followed a match of that many tokens."""
        return length - 1

    @staticmethod
    def of_table(likely: float) -> int:
        """Return the kind of what a table calls so likely."""
        step = int((likely - LEAST_LIKELY) / TABLE_STEP)
        return LONGEST_MATCH + min(step, len(EXPECTED_OF_TABLE) - 1)

    @staticmethod
    def of_network(likely: float, at_hand: bool) -> int:
        """Return the kind of what the network calls so likely, and that was guessed without it or not."""
        place = min(int(likely * len(EXPECTED_OF_NETWORK)), len(EXPECTED_OF_NETWORK) - 1)
        return LONGEST_MATCH + len(EXPECTED_OF_TABLE) + at_hand * len(EXPECTED_OF_NETWORK) + place

    def asks(self, at_hand: float, reached: float) -> bool:
        """Say whether to ask the network where another guess is likely by `at_hand`.

        `reached` is how likely all guesses before it are right: what is drafted behind a wrong one is of no use.
        """
        if at_hand >= ASK_BELOW:
            return False
        self._not_asked += 1
        if self._gain * reached < self._ask_price and self._not_asked < ASK_AGAIN:
            return False
        self._not_asked = 0
        return True

    def asked(self, gain: float) -> None:
        """Note by how much likelier the network's guess was than what was at hand."""
        self._gain = MEMORY * self._gain + (1 - MEMORY) * max(gain, 0.0)

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

    def guesses(self, limit: int, chain: DraftChain | None = None) -> list[int]:
        """Return up to `limit` guesses at what comes next; none where nothing is known or guessing does not pay.

        `chain` asks the network, for as long as it is asked for every one: it goes on from its own drafts.
        """
        record, lookup = self._record, self._lookup
        made: list[int] = []
        self._kinds = []
        price, likely, tokens = record.price(0, 1.0), 1.0, 1.0
        match = lookup.longest_match()
        while len(made) < min(limit, GUESSES):
            found = self._likeliest(match)
            if chain is not None:
                at_hand = record.likely(found[1]) if found else 0.0
                if record.asks(at_hand, likely):
                    found = self._asked(chain, found, at_hand)
                else:
                    chain = None
            if found is None:
                break
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

    def _asked(self, chain: DraftChain, found: tuple[int, int] | None, at_hand: float) -> tuple[int, int] | None:
        """Return the network's guess and its kind where it is likelier than what was found."""
        draft = chain.following(self._lookup.tokens[-1])
        kind = self._record.of_network(draft.probability, found is not None and found[0] == draft.id)
        gain = self._record.likely(kind) - at_hand
        self._record.asked(gain)
        return (draft.id, kind) if gain > 0 else found

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
