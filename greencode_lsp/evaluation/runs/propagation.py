"""The K/V of GREEN-CODE: an exit's state is copied upward, and every deeper layer projects its keys and values from it.

For comparison only, on a plain backbone (`LlamaEESingleHeadRLCaching` in the paper's repository; CALM, arXiv
2207.07061, has the idea). The prompt runs to full depth, and so is its first token read; of every later token the
layers behind its exit get K and V of a state that never went through them. The engine's own K/V are never copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.energy import CostTable, Work
from greencode_lsp.engine import EarlyExitModel, Finish, Token
from greencode_lsp.engine.architecture import Layer, Linear
from greencode_lsp.engine.backbone import Backbone, Rows, apply, normalise, rotate
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.session import CHUNK_ROWS
from greencode_lsp.evaluation.benchmark.gauge import Gauge, Reading
from greencode_lsp.evaluation.runs.charging import full_decode_joules, reading_work, reading_works, rows_work
from greencode_lsp.evaluation.runs.decoding import Decoded
from greencode_lsp.evaluation.runs.engine_decoder import stop_rule
from greencode_lsp.evaluation.runs.records import Cost, Forced
from greencode_lsp.evaluation.suites.example import Example
from greencode_lsp.policy import Policy, Verdict, judge
from greencode_lsp.policy import Reading as PolicyReading


class PropagatedText:
    """A text whose tokens may leave at exits; K and V of the layers behind an exit are projected from its state."""

    def __init__(self, backbone: Backbone, model: EarlyExitModel) -> None:
        self._backbone, self._model = backbone, model
        self._caches = [backbone.new_cache(len(layers)) for layers in model.segments]
        self.length = 0
        self._words: tuple[int, ...] = ()

    def prefill(self, prompt: Sequence[int]) -> None:
        """Run a prompt, all but its last token, to full depth."""
        for start in range(0, len(prompt) - 1, CHUNK_ROWS):
            ids = list(prompt[start : min(start + CHUNK_ROWS, len(prompt) - 1)])
            hidden = self._backbone.embed(ids, start)
            for layers, cache in zip(self._model.segments, self._caches, strict=True):
                if layers:
                    hidden = self._backbone.run_layers(layers, hidden, start, cache)
        self.length, self._words = len(prompt) - 1, self._model.words_of(prompt)

    def next(self, token: int, policy: Policy | None) -> tuple[Token, Verdict]:
        """Feed a token; return the next one and the verdict. No policy is full depth."""
        start, hidden = self.length, self._backbone.embed([token], self.length)
        self.length += 1
        in_vain: tuple[int, ...] = ()
        for segment, layers in enumerate(self._model.segments):
            if layers:
                hidden = self._backbone.run_layers(layers, hidden, start, self._caches[segment])
            if segment == self._model.last or policy is None:
                continue
            verdict, said = self._judge(policy, segment, hidden)
            if verdict is not Verdict.CONTINUE:
                self._propagate(segment + 1, hidden, start)
                return replace(said or self._read(segment, hidden), read_in_vain=in_vain), verdict
            if said is not None:
                in_vain += (said.exit_layer,)
        return replace(self._read(self._model.last, hidden), read_in_vain=in_vain), Verdict.EXIT

    def _judge(self, policy: Policy, segment: int, hidden: Tensor) -> tuple[Verdict, Token | None]:
        """Return a policy's verdict, and the token behind the exit where it had that read."""
        said: list[Token] = []

        def read() -> float:
            said.append(self._read(segment, hidden))
            return said[0].probability

        verdict = judge(policy, PolicyReading(segment, self._model.depth(segment), hidden[0]), read)
        return verdict, said[0] if said else None

    def _read(self, segment: int, hidden: Tensor) -> Token:
        model = self._model
        ids, probabilities = model.likeliest(segment, hidden, self._words)
        shortlisted = model.shortlist_layers(segment) > 0
        return Token(int(ids[0]), model.depth(segment), float(probabilities[0]), shortlisted=shortlisted)

    def _propagate(self, segment: int, hidden: Tensor, start: int) -> None:
        rows = self._backbone.rows(start, 1)
        for layers, cache in zip(self._model.segments[segment:], self._caches[segment:], strict=True):
            if layers:
                cache.reserve(start + 1, start)
            for place, layer in enumerate(layers):
                self._write(self._backbone.weights.layers[layer], hidden, rows, cache, place)

    def _write(self, layer: Layer, hidden: Tensor, rows: Rows, cache: Cache, place: int) -> None:
        shape = self._backbone.shape
        first = shape.heads * shape.head_size  # the queries are not needed
        bias = None if layer.qkv.bias is None else layer.qkv.bias[first:]
        projection = Linear(layer.qkv.weight[first:], bias)
        fused = apply(projection, normalise(shape, hidden, layer.attention_norm))
        key, value = fused.view(len(hidden), 2, shape.kv_heads, shape.head_size).unbind(1)
        if layer.key_norm is not None:
            key = normalise(shape, key, layer.key_norm)
        if rows.rotary is not None:
            key = rotate(key, *rows.rotary)
        cache.keys[place][:, rows.where] = key.transpose(0, 1)
        cache.values[place][:, rows.where] = value.transpose(0, 1)


class PropagatingDecoder:
    """Decodes with propagated K/V.

    Joules are by the table of the engine that ships, with a projection of K and V at its share of a layer's weights, so
    that the two ways to keep K/V are compared on the same kernels. Times are those of the plain backbone.
    """

    def __init__(
        self,
        backbone: Backbone,
        model: EarlyExitModel,
        tokenizer: CodeTokenizer,
        make_policy: Callable[[str], Policy],
        table: CostTable | None,
        gauge: Gauge,
    ) -> None:
        self._backbone, self._model, self._tokenizer = backbone, model, tokenizer
        self._make_policy, self._table, self._gauge = make_policy, table, gauge

    @torch.inference_mode()
    def decode(self, example: Example, full_tokens: int | None) -> Decoded:
        """Continue an example, then feed it the true text."""
        text = PropagatedText(self._backbone, self._model)
        begun = self._gauge.read()
        text.prefill(example.prompt)
        prefilled = self._gauge.read()
        tokens, finish = self._generate(example, text)
        ended = self._gauge.read()
        cost = self._cost(example, tokens, self._gauge.between(begun, prefilled), self._gauge.between(prefilled, ended))
        return Decoded(tuple(tokens), finish.value, cost, self._force(example, text))

    def _generate(self, example: Example, text: PropagatedText) -> tuple[list[Token], Finish]:
        policy, stop = self._make_policy(example.id), stop_rule(example, self._tokenizer)
        tokens: list[Token] = []
        last = example.prompt[-1]
        while len(tokens) < example.max_tokens:
            token, verdict = text.next(last, policy if tokens else None)
            if verdict is Verdict.STOP:
                return tokens, Finish.GAVE_UP
            if token.id in self._backbone.shape.end_of_text:
                return tokens, Finish.END_OF_TEXT
            tokens.append(token)
            last = token.id
            if stop([each.id for each in tokens]):
                return tokens, Finish.STOP_RULE
        return tokens, Finish.MAX_TOKENS

    def _force(self, example: Example, text: PropagatedText) -> Forced:
        policy = self._make_policy(example.id)
        text.length = len(example.prompt) - 1
        right = depths = 0
        for count, (token, true) in enumerate(zip((example.prompt[-1], *example.target), example.target, strict=False)):
            said, verdict = text.next(token, policy if count else None)
            right += verdict is not Verdict.STOP and said.id == true
            depths += said.exit_layer
        return Forced(right, len(example.target), depths)

    def _cost(self, example: Example, tokens: Sequence[Token], prefill: Reading, decode: Reading) -> Cost:
        table, layers, before = self._table, self._model.layers, len(example.prompt) - 1
        counted = None if prefill.joules is None or decode.joules is None else prefill.joules + decode.joules
        if table is None:
            return Cost(prefill.seconds, decode.seconds, None, None, None, None, None, None, counted, "unknown")
        steps, copied, readings = Work(), 0, reading_works(self._model)
        for token in tokens:
            steps += Work({(token.exit_layer, 1): 1}) + reading_work(readings, token)
            copied += layers - token.exit_layer
        projections = self._projection_share() * table.joules(Work(layer_runs={(1, 1): copied}))
        full_decode = full_decode_joules(table, layers, len(tokens))
        in_prompt = table.joules(rows_work(layers - 1 + self._model.unread_share, before))
        return Cost(
            seconds_prefill=prefill.seconds,
            seconds_decode=decode.seconds,
            joules_prefill=in_prompt,
            joules_decode=table.joules(steps) + projections,
            joules_full=in_prompt + full_decode,
            joules_decode_full=full_decode,
            joules_uncached=None,
            joules_uncached_full=None,
            counted_joules=counted,
            source=table.source,
        )

    def _projection_share(self) -> float:
        shape = self._backbone.shape
        weights = 2 * shape.kv_heads * shape.head_size * shape.hidden_size
        return weights * self._backbone.weights.embedding.element_size() / self._backbone.layer_bytes(0)
