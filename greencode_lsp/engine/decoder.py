"""Greedy decoding with exits: as the policy says, or with exits as drafts that the deep layers verify.

Beside exits, guesses from the text itself and from a table can be drafts (`drafts.guessing`): several tokens then go
through the layers together, and each is read where the policy would read it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from greencode_lsp.engine.drafts.drafter import DraftChain
from greencode_lsp.engine.drafts.guessing import Guesser, GuessRecord
from greencode_lsp.engine.errors import Cancelled, EngineError
from greencode_lsp.engine.result import Finish, Generation, Token, Work
from greencode_lsp.engine.session import BeforeChunk, Session
from greencode_lsp.engine.threads import alone
from greencode_lsp.policy import NeverExit, Policy, Reading, Verdict, judge

Said = tuple[int, float]
"""The likeliest token behind a row, and its probability."""


@dataclass(frozen=True)
class Request:
    """What to decode.

    The text ends before a token with which the probability of all of it falls below `least_certain`.
    `stop` sees all token ids generated so far and says whether the text ends with the last of them.
    `allowed` sees the same and names the only ids that may come next, or None where any may.
    `cancelled` is asked between segments and between chunks of a long prompt.
    With `verify`, exits only draft: the text is what full depth would have said.
    Where the model has a map after `fill` layers, rows far above the last one leave keys and values that are only near.
    With `guessing`, what stood behind the same tokens before, or mostly does in code, drafts too. Such a draft is kept
    where the policy's exit, or with `verify` full depth, says the same.
    """

    prompt: Sequence[int]
    max_tokens: int
    policy: Policy = field(default_factory=NeverExit)
    verify: bool = False
    guessing: bool = False
    least_certain: float = 0.0
    stop: Callable[[Sequence[int]], bool] = lambda ids: False
    allowed: Callable[[Sequence[int]], Tensor | None] = lambda ids: None
    cancelled: Callable[[], bool] = lambda: False
    fill: int = 0


@torch.inference_mode()
def generate(session: Session, request: Request) -> Generation:
    """Continue the prompt in a session, which may hold the beginning of it from an earlier call.

    Raises `Cancelled` (the session stays valid), `NumericalError` (drop the session), and `EngineError` when the
    prompt does not fit the model's context.
    """
    if not request.prompt:
        raise EngineError("the prompt is empty; there is nothing to continue")
    return _Decoding(session, request).run()


class _Decoding:
    """One call of `generate`."""

    def __init__(self, session: Session, request: Request) -> None:
        self.session, self.request, self.model = session, request, session.model
        self.tokens: list[Token] = []
        self.drafts: list[Token] = []
        self.draft_limit = 0
        self.certainty = 1.0
        self.said: Said | None = None  # what the exit where the last row stands says, once it was asked
        self.read_at: list[int] = []  # the depths at which a token was read behind the last row
        self.words = self.model.words_of(request.prompt)
        # Unverified, a guess decides how deep rows are read: what earlier texts taught must not decide about guesses.
        self.record = session.guess_record if request.verify else GuessRecord.of(self.model)
        self.chosen_by: Tensor | None = None  # the state [1, hidden] behind the last token, where it is full depth's
        self.guesser = Guesser(self.record, request.prompt, self.model.ngrams) if request.guessing else None
        self.work = Work()
        self.started = time.perf_counter()
        self.prefilled_at: float | None = None
        self.first_token_at: float | None = None

    def run(self) -> Generation:
        session, prompt = self.session, self.request.prompt
        # The last token always runs again: a session keeps K/V, not the final hidden state behind it.
        reused = min(common_prefix(session.tokens, prompt), len(prompt) - 1)
        reused = session.usable(reused, len(prompt), self.request.fill)
        session.rewind(reused)
        session.feed(prompt[reused:])
        step = self._verified_step if self.request.verify else self._step
        finish = Finish.MAX_TOKENS if self.request.max_tokens < 1 else None
        while finish is None:
            guesses = self._guesses()
            finish = self._guessing_step(guesses) if guesses else step()
        now = time.perf_counter()
        return Generation(
            tokens=self.tokens,
            finish=finish,
            work=self.work,
            prompt_rows=len(prompt) - reused,
            reused_rows=reused,
            prefill_ms=((self.prefilled_at or now) - self.started) * 1000,
            first_token_ms=((self.first_token_at or now) - self.started) * 1000,
            total_ms=(now - self.started) * 1000,
        )

    def _step(self) -> Finish | None:
        """Decode one token at the depth the policy likes."""
        segment, hidden, verdict = self._advance(self.request.policy)
        if verdict is Verdict.STOP:
            return Finish.GAVE_UP
        token = self._choose(segment, hidden[-1:], self.tokens)
        self._note_state(segment, hidden[-1:])
        self.record.paid(self.model.price(segment))
        return self._accept(token) or self._feed(token)

    def _guesses(self) -> list[int]:
        """Return guesses at the next tokens, none while exits have drafts that wait."""
        if self.guesser is None or self.drafts:
            return []
        room = self.model.backbone.shape.context_length - len(self.session.tokens)
        limit = min(self.request.max_tokens - len(self.tokens) - 1, room)
        return self.guesser.guesses(limit, self._chain() if limit > 0 else None)

    def _chain(self) -> DraftChain | None:
        """Return what asks the drafter behind the last token, which it is for where full depth chose that."""
        if self.model.drafter is None or self.chosen_by is None:
            return None
        before = self._before(self.model.draft_layers)
        return DraftChain(self.model.drafter, self.chosen_by, self._drafted_words, lambda: before(1, 1))

    @cached_property
    def _drafted_words(self) -> tuple[int, ...]:
        return self.model.drafted_words(self.request.prompt)

    def _note_state(self, segment: int, hidden: Tensor) -> None:
        """Keep the state [1, hidden] by which a token was chosen behind a segment."""
        self.chosen_by = hidden if self.model.depth(segment) == self.model.layers else None

    def _guessing_step(self, guesses: list[int]) -> Finish | None:
        """Run guesses behind the last sure token together, and keep those that are right.

        Row by row the policy says where to read, as if no other row were there, but never above the row before it.
        """
        policy = NeverExit() if self.request.verify else self.request.policy
        rows, sure = len(guesses) + 1, len(self.session.tokens)
        self.session.feed(guesses)
        known, finish, right = 0, None, True  # rows behind which the token is known
        in_vain: list[list[int]] = [[] for _ in range(rows)]
        for segment in range(len(self.model.segments)):
            hidden = self._run(segment, rows - known)[-rows:]
            leaving, verdict, said = self._leaving(policy, segment, hidden[known:])
            for row in range(leaving, len(said)):
                in_vain[known + row].append(self.model.depth(segment))
            for token in self._choices(segment, hidden[known : known + leaving], said[:leaving]):
                right = known < len(guesses) and token.id == guesses[known]
                finish = self._accept(replace(token, guessed=right, read_in_vain=tuple(in_vain[known])))
                self._note_state(segment, hidden[known : known + 1])
                known += 1
                if finish is not None or not right:
                    break
            if right and finish is None and verdict is Verdict.STOP:
                finish = Finish.GAVE_UP
            if finish is not None or not right:
                break
        self.prefilled_at = self.prefilled_at or time.perf_counter()
        assert self.guesser is not None, "it made the guesses"
        agreed = known - (not right)
        self.guesser.judged(agreed, not right and agreed < len(guesses), self.model.price(segment))
        if finish is not None:
            return finish
        self.session.rewind(sure + known - 1)
        return self._feed(self.tokens[-1])

    def _leaving(self, policy: Policy, segment: int, hidden: Tensor) -> tuple[int, Verdict, list[Said]]:
        """Return how many of the first rows, hidden [rows, hidden], leave here, and what becomes of the next.

        With them comes what the exit says of the first rows, where the policy wants them read: all of them together.
        """
        if segment == self.model.last:
            return len(hidden), Verdict.EXIT, []
        verdicts: list[Verdict] = []
        for row in hidden:
            verdicts.append(policy.decide(self._reading(segment, row)))
            if verdicts[-1] not in (Verdict.EXIT, Verdict.READ):
                break
        willing = sum(verdict in (Verdict.EXIT, Verdict.READ) for verdict in verdicts)
        said = self._likeliest(segment, hidden[:willing]) if Verdict.READ in verdicts else []
        for row, (_, probability) in enumerate(said):
            if verdicts[row] is Verdict.READ:
                verdicts[row] = policy.decide(self._reading(segment, hidden[row], probability))
        leaving = next((row for row, verdict in enumerate(verdicts) if verdict is not Verdict.EXIT), len(hidden))
        return leaving, verdicts[leaving] if leaving < len(hidden) else Verdict.EXIT, said

    def _verified_step(self) -> Finish | None:
        """Decode one draft; once there are enough of them, or the policy goes to full depth, verify them all."""
        fed, drafting = len(self.drafts), self.session.drafting
        if not fed:
            self.draft_limit = drafting.limit()
        if not self.draft_limit:
            drafting.passed()
        segment, hidden, verdict = self._advance(self.request.policy if self.draft_limit else NeverExit(), fed + 1)
        # Giving up would change the text, so on STOP the rest of the depth decides.
        if verdict is Verdict.EXIT and segment < self.model.last:
            self.drafts.append(self._choose(segment, hidden[-1:], [*self.tokens, *self.drafts]))
            if self._may_draft_on():
                return self._feed(self.drafts[-1])
        for deeper in range(segment + 1, len(self.model.segments)):
            hidden = self._run(deeper, fed + 1)
        return self._verify(hidden[-fed - 1 :])

    def _may_draft_on(self) -> bool:
        ahead = len(self.tokens) + len(self.drafts)
        return (
            len(self.drafts) < self.draft_limit
            and ahead < self.request.max_tokens
            and len(self.session.tokens) < self.model.backbone.shape.context_length
            and not self._ends([*self.tokens, *self.drafts])
        )

    def _verify(self, hidden: Tensor) -> Finish | None:
        """Keep the drafts that full depth agrees with, then the first token it would rather have.

        hidden [drafts fed + 1, hidden]: final states of the last sure token and of every draft that has been fed.
        """
        drafts, self.drafts = self.drafts, []
        sure = len(self.session.tokens) - (len(hidden) - 1)  # tokens fed before the first draft
        agreed, finish = 0, None
        for index, token in enumerate(self._choices(self.model.last, hidden)):
            right = index < len(drafts) and drafts[index].id == token.id
            if right:
                agreed, token = agreed + 1, replace(drafts[index], probability=token.probability)
            finish = self._accept(token)
            if finish is not None or not right:
                break
        self.session.drafting.verified([draft.exit_layer for draft in drafts[: index + 1]], agreed)
        if finish is not None:
            return finish
        self._note_state(self.model.last, hidden[index : index + 1])
        if not right:
            self.session.rewind(sure + index)
        return self._feed(token)

    def _advance(self, policy: Policy, read: int = 1) -> tuple[int, Tensor, Verdict]:
        """Run segments until the policy has seen enough of the last row; the last `read` ones will be looked at.

        Returns the segment it stopped at, that segment's outputs [rows, hidden], and the verdict.
        """
        self.read_at = []
        for segment in range(len(self.model.segments)):
            hidden = self._run(segment, read)
            verdict = self._judge(policy, segment, hidden[-1:])
            if verdict is not Verdict.CONTINUE:
                break
        self.prefilled_at = self.prefilled_at or time.perf_counter()
        return segment, hidden, verdict

    def _judge(self, policy: Policy, segment: int, hidden: Tensor) -> Verdict:
        """Return a policy's verdict on the last row, hidden [1, hidden]; at full depth there is but one."""
        self.said = None
        if segment == self.model.last:
            return Verdict.EXIT
        return judge(policy, self._reading(segment, hidden[0]), lambda: self._said(segment, hidden)[1])

    def _run(self, segment: int, read: int) -> Tensor:
        """Run the rows that wait for a segment, of which the last `read` will be looked at."""
        filling = self.model.fillings.get(self.request.fill)
        if filling is not None and segment == filling.segment:
            self.session.fill(self.request.fill, self._before)
        return self.session.run(segment, self._before(len(self.model.segments[segment])), read=read)

    def _before(self, layers: float) -> BeforeChunk:
        """Return what notes that rows are about to run through so many layers, and stops where nobody waits."""

        def before_chunk(rows: int, read: int) -> None:
            if self.request.cancelled():
                raise Cancelled(self.work)
            spared = 0.0 if read == rows else 1 - self.model.unread_share
            self.work.layer_runs[layers - spared, rows] += 1
            if spared and read:
                self.work.layer_runs[spared, read] += 1

        return before_chunk

    def _reading(self, segment: int, hidden: Tensor, probability: float | None = None) -> Reading:
        return Reading(segment, self.model.depth(segment), hidden, probability)

    def _said(self, segment: int, hidden: Tensor) -> Said:
        """Read the token behind the exit where the last row, hidden [1, hidden], stands, once."""
        if self.said is None:
            (self.said,) = self._likeliest(segment, hidden)
            self.read_at.append(self.model.depth(segment))
        return self.said

    def _likeliest(self, segment: int, hidden: Tensor) -> list[Said]:
        """Read what a segment says behind these rows [rows, hidden]."""
        self._note_reading(segment, len(hidden))
        ids, probabilities = self.model.likeliest(segment, hidden, self.words)
        return list(zip(ids.tolist(), probabilities.tolist(), strict=True))

    def _note_reading(self, segment: int, rows: int, whole_head: bool = False) -> None:
        shortlist = 0.0 if whole_head else self.model.shortlist_layers(segment)
        if not shortlist:
            self.work.head_runs[rows] += 1
        if layers := shortlist + self.model.translator_layers(segment):
            self.work.layer_runs[layers, rows] += 1

    def _logits(self, segment: int, hidden: Tensor) -> Tensor:
        """Return the logits [vocabulary] behind a row, hidden [1, hidden]."""
        self._note_reading(segment, 1, whole_head=True)
        return self.model.read(segment, hidden)[0]

    def _choose(self, segment: int, hidden: Tensor, before: Sequence[Token]) -> Token:
        """Choose the token behind the segment where a row, hidden [1, hidden], stopped."""
        allowed, depth = self._allowed(before), self.model.depth(segment)
        if allowed is not None:
            id, probability = best_of(allowed, self._logits(segment, hidden))
            return Token(id, depth, probability, read_in_vain=tuple(self.read_at))
        id, probability = self._said(segment, hidden)
        shortlisted = self.model.shortlist_layers(segment) > 0
        return Token(id, depth, probability, shortlisted=shortlisted, read_in_vain=tuple(self.read_at[:-1]))

    def _choices(self, segment: int, hidden: Tensor, said: Sequence[Said] = ()) -> Iterator[Token]:
        """Yield what stands behind each of these rows that leave a segment, as long as the tokens before it stand.

        `said` is what the segment says of them, where that has been read.
        """
        depth, shortlisted = self.model.depth(segment), self.model.shortlist_layers(segment) > 0
        for index in range(len(hidden)):
            allowed = self._allowed(self.tokens)
            if allowed is not None:
                id, probability = best_of(allowed, self._logits(segment, hidden[index : index + 1]))
                yield Token(id, depth, probability)
                continue
            if not said:
                said = self._likeliest(segment, hidden[index:])
            id, probability = said[index - len(hidden)]
            yield Token(id, depth, probability, shortlisted=shortlisted)

    def _allowed(self, before: Sequence[Token]) -> Tensor | None:
        return self.request.allowed([token.id for token in before])

    def _accept(self, token: Token) -> Finish | None:
        """Make a token part of the text, and say so if the text ends with it."""
        self.first_token_at = self.first_token_at or time.perf_counter()
        if token.id in self.model.backbone.shape.end_of_text:
            return Finish.END_OF_TEXT
        self.certainty *= token.probability
        if self.certainty < self.request.least_certain:
            return Finish.UNCERTAIN
        self.tokens.append(token)
        if self.guesser is not None:
            self.guesser.add(token.id)
        if self._ends(self.tokens):
            return Finish.STOP_RULE
        if len(self.tokens) >= self.request.max_tokens:
            return Finish.MAX_TOKENS
        return None

    def _ends(self, tokens: Sequence[Token]) -> bool:
        last = tokens[-1].id
        return last in self.model.backbone.shape.end_of_text or self.request.stop([token.id for token in tokens])

    def _feed(self, token: Token) -> Finish | None:
        if len(self.session.tokens) >= self.model.backbone.shape.context_length:
            return Finish.CONTEXT_FULL
        self.session.feed([token.id])
        return None


def best_of(allowed: Tensor, logits: Tensor) -> tuple[int, float]:
    """Return the most likely of the allowed ids, given logits [vocabulary], and its probability among them."""
    with alone():
        probability, index = logits[allowed].float().softmax(dim=0).max(dim=0)
    return int(allowed[index]), float(probability)


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many leading tokens two texts share."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
