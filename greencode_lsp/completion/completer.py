"""One suggestion for one place in a document: prompt, decode, cut, fit, charge."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from greencode_lsp.completion.cache import ResultCache
from greencode_lsp.completion.fitting import Cursor, fit
from greencode_lsp.completion.healing import HealedPrompt, TokenHealer
from greencode_lsp.completion.infill import InfillTemplate, around
from greencode_lsp.completion.profiles import Profile, resolve_profile
from greencode_lsp.completion.prompt import prompt_with_other_files
from greencode_lsp.completion.records import entry_of, entry_of_cancelled
from greencode_lsp.completion.sessions import SessionPool
from greencode_lsp.completion.stops import StopRule, first_end, stop_rules
from greencode_lsp.completion.suggestion import CompletionRequest, SuggestedToken, Suggestion, Timings
from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.energy import Attribution, Charge, Recorder, Work, full_depth
from greencode_lsp.engine import (
    Cancelled,
    EarlyExitModel,
    Finish,
    Generation,
    NumericalError,
    Request,
    generate,
)
from greencode_lsp.policy import BundlePolicy

PROMPT_TOKENS = 1024

STOPPED_SHORT = (Finish.UNCERTAIN, Finish.MAX_TOKENS, Finish.CONTEXT_FULL)
"""Ends of a generation that no rule and no model wanted."""

LARGEST_DOCUMENT = 4_000_000
"""Characters: more is data or generated, and costs the editor more than it gives."""

LONGEST_LINE = 20_000
"""Characters: a longer line was not written by hand, and brackets in it take long to count."""


class Completer:
    """A loaded model with everything that is kept between requests. Used from one thread only."""

    def __init__(
        self,
        name: str,
        model: EarlyExitModel,
        tokenizer: CodeTokenizer,
        attribution: Attribution,
        ledger: Recorder,
        policy: BundlePolicy | None = None,
        infill: InfillTemplate | None = None,
    ) -> None:
        self.name, self.model, self.infill = name, model, infill
        self.tokenizer = tokenizer.with_markers(infill.ends) if infill else tokenizer
        self.policy = policy or BundlePolicy(self.exits)
        self.attribution, self.ledger = attribution, ledger
        self._healer = TokenHealer(self.tokenizer)
        self._sessions = SessionPool(model)
        self._cache: ResultCache[Suggestion] = ResultCache()

    @property
    def exits(self) -> tuple[int, ...]:
        """Depths, in layers done, at which a token may be read before full depth."""
        return tuple(segment.stop for segment in self.model.segments[:-1])

    def complete(self, request: CompletionRequest) -> Suggestion | None:
        """Return a suggestion, or None: cancelled, or nothing to continue (no text, binary data, a huge document).

        Raises `ProfileError`, and `EngineError` when the computation fails; both leave the completer usable.
        """
        return self.recall(request) or self._compute_first(request)

    def recall(self, request: CompletionRequest) -> Suggestion | None:
        """Return what remains of a suggestion that was made here or has been typed into since; None if there is none.

        One that was made to its end, however uncertain, serves any request. Raises `ProfileError`.
        """
        started = time.perf_counter()
        profile = resolve_profile(request.profile, self.policy, request.max_quality_loss)
        scopes = [scope_of(each, profile) for each in (request, replace(request, least_certain=0.0))]
        found = (self._cache.get(scope, request.prefix, request.suffix) for scope in scopes)
        known = next((each for each in found if each is not None), None)
        if known is None:
            return None
        suggestion = self._from_cache(*known, started)
        self.ledger.record(entry_of(suggestion))
        return suggestion

    def complete_several(self, request: CompletionRequest, count: int) -> list[Suggestion]:
        """Compute up to `count` suggestions that differ, the likeliest first; raises what `complete` does.

        Empty where `complete` would return None. Each one after the first begins with the likeliest token that none
        before it begins with.
        """
        suggestions: list[Suggestion] = []
        tried: set[int] = set()
        for _ in range(count):
            made = self._compute_one(request, frozenset(tried))
            if made is None:
                break
            suggestion, first = made
            if not suggestions or suggestion.text.strip() not in ("", *(other.text.strip() for other in suggestions)):
                suggestions.append(suggestion)
            if first is None:
                break
            tried.add(first)
        self._remember(request, list(reversed(suggestions)))
        return suggestions

    def _compute_first(self, request: CompletionRequest) -> Suggestion | None:
        made = self._compute_one(request, frozenset())
        if made is None:
            return None
        self._remember(request, [made[0]])
        return made[0]

    def _compute_one(self, request: CompletionRequest, avoid: frozenset[int]) -> tuple[Suggestion, int | None] | None:
        """Return a suggestion that begins with none of the tokens in `avoid`, and the token it begins with."""
        if not is_source_text(request.prefix, request.suffix):
            return None
        started = time.perf_counter()
        profile = resolve_profile(request.profile, self.policy, request.max_quality_loss)
        try:
            suggestion, first = self._compute(request, profile, avoid, started)
        except Cancelled as cancelled:
            ran = Work(cancelled.work.layer_runs, cancelled.work.head_runs)
            charge = self.attribution.end(ran, ran)
            self.ledger.record(entry_of_cancelled(charge, self.model.layers, self.name, profile.name))
            return None
        self.ledger.record(entry_of(suggestion))
        return suggestion, first

    def _remember(self, request: CompletionRequest, suggestions: Sequence[Suggestion]) -> None:
        """Keep suggestions in the cache, the best last: it is found first."""
        profile = resolve_profile(request.profile, self.policy, request.max_quality_loss)
        for suggestion in suggestions:
            scope = scope_of(request, profile)
            self._cache.put(scope, request.prefix, request.suffix, suggestion.text, suggestion)

    def forget(self, document: str) -> None:
        """Drop what is kept of a document, once it is closed."""
        self._sessions.drop(document)

    def _compute(
        self, request: CompletionRequest, profile: Profile, avoid: frozenset[int], started: float
    ) -> tuple[Suggestion, int | None]:
        prompt = self._prompt(request)
        cursor = Cursor(request.prefix, request.suffix, request.language, request.path)
        rules = stop_rules(cursor, request.multiline)
        prepared_ms = (time.perf_counter() - started) * 1000
        generation, charge = self._generate(request, profile, prompt, rules, avoid)
        ids = [token.id for token in generation.tokens]
        text = self._new_text(prompt, ids)
        end = first_end(rules, text)
        stopped = end is None and generation.finish in STOPPED_SHORT
        at_limit = stopped and generation.finish is not Finish.UNCERTAIN
        fitted = fit(text[:end], cursor, unfinished=stopped, at_limit=at_limit)
        depths = [token.exit_layer for token in generation.tokens]
        id = uuid.uuid4().hex
        suggestion = Suggestion(
            id=id,
            origin=id,
            text=fitted.text,
            replaces=fitted.replaces,
            tokens=self._token_texts(prompt, generation, fitted.text),
            generated_tokens=len(ids),
            guessed_tokens=sum(token.guessed for token in generation.tokens),
            mean_exit_layer=sum(depths) / len(depths) if depths else None,
            layers=self.model.layers,
            model=self.name,
            profile=profile.name,
            charge=charge,
            timings_ms=Timings(
                prefill=prepared_ms + generation.prefill_ms,
                first_token=prepared_ms + generation.first_token_ms,
                total=(time.perf_counter() - started) * 1000,
            ),
            prompt_tokens=generation.prompt_rows,
            reused_tokens=generation.reused_rows,
            cached=False,
        )
        first = next((id for count, id in enumerate(ids, start=1) if self._new_text(prompt, ids[:count])), None)
        return suggestion, first

    def _prompt(self, request: CompletionRequest) -> HealedPrompt:
        """Return what the model is to continue: the text before the cursor, amid the rest where it was trained to."""
        budget = min(PROMPT_TOKENS, self.model.backbone.shape.context_length - request.max_tokens)
        rest = around(self.infill, request.suffix, budget, self.tokenizer)
        before = prompt_with_other_files(request.prefix, request.other_files, budget - rest.tokens, self.tokenizer)
        healed = self._healer.heal(before)
        return HealedPrompt(rest.prompt(healed.ids), healed.required)

    def _generate(
        self,
        request: CompletionRequest,
        profile: Profile,
        prompt: HealedPrompt,
        rules: Sequence[StopRule],
        avoid: frozenset[int],
    ) -> tuple[Generation, Charge]:
        decoding = Request(
            prompt=prompt.ids,
            max_tokens=request.max_tokens,
            policy=profile.make_policy(),
            verify=profile.verify,
            guessing=profile.guessing,
            fill=profile.fill,
            least_certain=request.least_certain,
            stop=lambda ids: self._ends(prompt, rules, ids),
            allowed=lambda ids: self._allowed(prompt, ids, avoid),
            cancelled=request.cancelled,
        )
        self.attribution.begin()
        try:
            generation = generate(self._sessions.get(request.document), decoding)
        except NumericalError:
            self.forget(request.document)
            raise
        steps = len(generation.tokens) + (generation.finish in (Finish.END_OF_TEXT, Finish.UNCERTAIN))
        full = full_depth(self.model.layers, generation.prompt_rows, steps, self.model.unread_share)
        ran = Work(generation.work.layer_runs, generation.work.head_runs)
        return generation, self.attribution.end(ran, full)

    def _ends(self, prompt: HealedPrompt, rules: Sequence[StopRule], ids: Sequence[int]) -> bool:
        """Say whether the text ends: by a rule, or by a special token, which no source code contains."""
        return ids[-1] in self.tokenizer.special_ids or first_end(rules, self._new_text(prompt, ids)) is not None

    def _allowed(self, prompt: HealedPrompt, ids: Sequence[int], avoid: frozenset[int]) -> Tensor | None:
        """Return the ids that may follow: what healing demands, and at the beginning nothing of `avoid`."""
        allowed = self._healer.allowed(prompt.required, ids)
        if not avoid or self._new_text(prompt, ids):
            return allowed
        candidates = torch.arange(len(self.tokenizer.token_bytes)) if allowed is None else allowed
        others = candidates[~torch.isin(candidates, torch.tensor(sorted(avoid)))]
        return others if len(others) else allowed

    def _new_text(self, prompt: HealedPrompt, ids: Sequence[int]) -> str:
        """Return what the ids say beyond the piece of the prompt that was taken back."""
        return self.tokenizer.decode(ids)[len(prompt.required.decode("utf-8", errors="replace")) :]

    def _token_texts(self, prompt: HealedPrompt, generation: Generation, text: str) -> tuple[SuggestedToken, ...]:
        """Cut a suggestion's text into what each token brought; tokens that brought nothing of it are left out."""
        written, owners = "", list[int]()
        ids = [token.id for token in generation.tokens]
        for count in range(1, len(ids) + 1):
            longer = self._new_text(prompt, ids[:count])
            owners.extend([count - 1] * (len(longer) - len(owners)))
            written = longer
        pieces = shared_out(text, written, owners)
        tokens = generation.tokens
        return tuple(SuggestedToken(piece, tokens[one].exit_layer, tokens[one].guessed) for one, piece in pieces)

    def _from_cache(self, remains: str, known: Suggestion, started: float) -> Suggestion:
        total = (time.perf_counter() - started) * 1000
        return replace(
            known,
            id=uuid.uuid4().hex,
            text=remains,
            tokens=last_tokens(known.tokens, len(remains)),
            charge=Charge(joules=0.0, joules_full=0.0, source=known.charge.source),
            timings_ms=Timings(total, total, total),
            prompt_tokens=0,
            reused_tokens=0,
            cached=True,
        )


def scope_of(request: CompletionRequest, profile: Profile) -> str:
    """Name everything beside the text that a suggestion depends on."""
    what = (request.document, request.max_tokens, request.multiline, request.least_certain)
    return "\0".join(map(str, (*what, profile.name, request.max_quality_loss)))


def is_source_text(prefix: str, suffix: str) -> bool:
    """Say whether there is text to continue, and not binary data, a document of many megabytes or one endless line."""
    line = len(prefix) - (prefix.rfind("\n") + 1) + (suffix.find("\n") if "\n" in suffix else len(suffix))
    return (
        bool(prefix.strip())
        and len(prefix) + len(suffix) <= LARGEST_DOCUMENT
        and line <= LONGEST_LINE
        and "\0" not in prefix[-10_000:]
        and "\0" not in suffix[:10_000]
    )


def shared_out(text: str, written: str, owners: Sequence[int]) -> list[tuple[int, str]]:
    """Cut a shown text into what each token brought, in order; `owners` names the token of every character written.

    What fitting has added, blanks and closing brackets, belongs to the token before it.
    """
    pieces: list[tuple[int, str]] = []
    position, owner = 0, 0
    for character in text:
        ahead = position
        while ahead < len(written) and written[ahead] != character and written[ahead].isspace():
            ahead += 1
        if ahead < len(written) and written[ahead] == character and (ahead == position or not character.isspace()):
            owner, position = owners[ahead], ahead + 1
        if pieces and pieces[-1][0] == owner:
            pieces[-1] = (owner, pieces[-1][1] + character)
        else:
            pieces.append((owner, character))
    return pieces


def last_tokens(tokens: Sequence[SuggestedToken], length: int) -> tuple[SuggestedToken, ...]:
    """Return the tokens that make up the last `length` characters, the first of them cut if need be."""
    kept: list[SuggestedToken] = []
    for token in reversed(tokens):
        if length <= 0:
            break
        kept.append(replace(token, text=token.text[-length:]))
        length -= len(token.text)
    return tuple(reversed(kept))
