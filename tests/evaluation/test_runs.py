"""A small slice of each suite with the real default model: costs, matching, resuming, what a failure leaves."""

import json

import pytest
import torch

from greencode_lsp.completion.suggestion import LoadOptions
from greencode_lsp.energy import CostTable
from greencode_lsp.engine import EarlyExitModel, EngineError, Request, Session, generate, kv_map
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.kv_map import KvMap
from greencode_lsp.evaluation.benchmark.gauge import Gauge
from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.runs.charging import reading_works
from greencode_lsp.evaluation.runs.configurations import Wanted, choose_configurations
from greencode_lsp.evaluation.runs.decoding import Configuration
from greencode_lsp.evaluation.runs.engine_decoder import ForcedTexts
from greencode_lsp.evaluation.runs.forcing import force
from greencode_lsp.evaluation.runs.matching import (
    confidence_policy,
    confidence_threshold,
    expected_depth,
    mean_depth,
    random_probability,
)
from greencode_lsp.evaluation.runs.opened import open_bundle
from greencode_lsp.evaluation.runs.prefill import SharedPrompts
from greencode_lsp.evaluation.runs.run import rotated, run
from greencode_lsp.evaluation.runs.shards import Shard
from greencode_lsp.evaluation.suites.prompting import Prompter
from greencode_lsp.evaluation.suites.suite import Selection, find_suite, load_examples
from greencode_lsp.policy import FixedExit, NeverExit
from tests.evaluation.rows import write_rows

FEW = Wanted(profiles=("full", "exact"), controls=("random",))
HEADER = {"settings": {"any": "thing"}}


def quiet(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def opened(default_bundle_folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENCODE_DATA", str(tmp_path_factory.mktemp("data")))
        return open_bundle(LoadOptions(), quiet)


@pytest.fixture(scope="module")
def load(opened, tmp_path_factory):
    data = write_rows(tmp_path_factory.mktemp("rows"))
    prompter = Prompter(opened.tokenizer, opened.model.backbone.shape.context_length)
    return lambda suite, form=None, limit=2: load_examples(
        *find_suite(suite, form), Selection(data, limit=limit), prompter
    )


@pytest.mark.parametrize(
    ("suite", "form"),
    [("py150", "raw"), ("javacorpus", "tokenised"), ("py150", "paper"), ("infilling", "prefix")],
)
def test_a_slice_of_each_suite_runs_and_exact_says_what_full_says(suite, form, opened, load, tmp_path):
    examples = load(suite, form, limit=1)
    chosen = choose_configurations(opened, FEW, examples.examples)
    out = tmp_path / "results.jsonl"
    journal = run(examples, chosen.configurations, opened.tokenizer, HEADER, out, Shard(), quiet)
    assert not journal.failures
    assert len(journal.results) == len(chosen.configurations) * len(examples.examples)
    for example in examples.examples:
        full, exact = (journal.results[example.id, name] for name in ("full", "exact"))
        assert full.text == exact.text
        assert {depth for _, depth in full.tokens} <= {30}
        assert "".join(piece for piece, _ in full.tokens).startswith(full.text)
        assert full.cost.joules == pytest.approx(full.cost.joules_full)
        assert full.forced == exact.forced
        assert full.forced is not None
        assert (full.forced.tokens, full.forced.depth) == (len(example.target), 30 * len(example.target))
        assert (full.passed is None) == (suite != "infilling")


def test_a_shared_prompt_changes_no_text_and_is_charged_as_a_cold_one(opened, load):
    """Run deep, then shallow, in one session, and compare with sessions of their own."""
    example = load("py150").examples[0]
    unit = CostTable((1,), (1.0,), (0.0,), "estimate")  # a joule for each row in each layer
    prompts = SharedPrompts(opened.model, unit, Gauge(None))
    rows, spared = len(example.prompt), 1 - opened.model.unread_share
    for policy, depth in ((NeverExit(), 30), (FixedExit(12), 12), (NeverExit(), 30)):
        request = Request(example.prompt, 3, policy)
        prefill = prompts.prefill(example.prompt)
        generation = generate(prefill.session, request)
        cost = prompts.cost(
            prefill, generation, Gauge(None).between(Gauge(None).read(), Gauge(None).read()), drafts=False
        )
        alone = generate(Session(opened.model), request)
        assert [token.id for token in generation.tokens] == [token.id for token in alone.tokens]
        reached = next(bound.stop for bound in opened.model.segments if bound.stop >= depth)
        assert cost.joules_prefill == pytest.approx((reached - spared * (reached == 30)) * (rows - 1))
        assert cost.joules_full == pytest.approx((30 - spared) * (rows - 1) + 30 * 3)
        reading = 3 * unit.joules(reading_works(opened.model)[depth, generation.tokens[0].shortlisted])
        assert cost.joules_uncached == pytest.approx(reached * (3 * rows + 3) + reading)
        assert cost.joules_uncached_full == 30 * (3 * rows + 3)
        assert cost.joules_decode == pytest.approx(3 * reached + reading)


def test_a_filled_prompt_is_charged_for_what_ran_of_it(opened, load, monkeypatch):
    monkeypatch.setattr(kv_map, "FEWEST_ROWS", 16)
    example, shape = load("py150").examples[0], opened.model.backbone.shape
    outputs = 6 * 2 * shape.kv_heads * shape.head_size
    nothing = KvMap(24, Linear(torch.zeros(outputs, shape.hidden_size), torch.zeros(outputs)), near=16)
    model = EarlyExitModel(opened.model.backbone, (12, 24), kv_maps=[nothing])
    unit = CostTable((1,), (1.0,), (0.0,), "estimate")
    prompts, rows = SharedPrompts(model, unit, Gauge(None), fill=24), len(example.prompt) - 1
    for policy, deep in ((NeverExit(), True), (FixedExit(12), False)):
        prefill = prompts.prefill(example.prompt)
        assert 0 < prefill.filled <= rows - 32
        prefill.session.rewind(rows)
        generation = generate(prefill.session, Request(example.prompt, 1, policy, fill=24))
        span = Gauge(None).between(Gauge(None).read(), Gauge(None).read())
        cost = prompts.cost(prefill, generation, span, drafts=False)
        behind = model.fillings[24].layers * prefill.filled + (5 + model.unread_share) * (rows - prefill.filled)
        assert cost.joules_prefill == pytest.approx(24 * rows + behind if deep else 12 * rows)


def test_random_and_confidence_meet_a_mean_depth(opened, load):
    assert expected_depth((10, 20, 30), 0.5) == 0.5 * 10 + 0.25 * 20 + 0.25 * 30
    assert expected_depth((10, 20, 30), random_probability((10, 20, 30), 18.0)) == pytest.approx(18.0)
    assert random_probability((10, 20, 30), 40.0) == 0.0
    examples = load("py150", limit=3).examples
    forced = ForcedTexts(SharedPrompts(opened.model, None, Gauge(None)))
    states = [forced.states(example) for example in examples]
    threshold = confidence_threshold(states, 24.0)
    tokens = sum(len(state.target) for state in states)
    found = mean_depth(states, lambda: confidence_policy(threshold)(""))
    assert abs(found - 24.0) <= 30 / tokens + 1  # one token more or less may leave
    assert mean_depth(states, NeverExit) == 30


def test_forced_predictions_are_those_of_decoding_the_true_text_token_by_token(opened, load):
    example = load("py150").examples[0]
    prompts = SharedPrompts(opened.model, None, Gauge(None))
    right = 0
    for count, true in enumerate(example.target):
        prompt = [*example.prompt, *example.target[:count]]
        right += generate(Session(opened.model), Request(prompt, 1)).tokens[0].id == true
    assert force(prompts.prefill(example.prompt), example.target).judge(NeverExit()).right == right


class Breaks:
    """Fails on the first example; counts how often it is asked."""

    def __init__(self, decoder) -> None:
        self.decoder, self.asked, self.broken = decoder, 0, True

    def decode(self, example, full_tokens):
        self.asked += 1
        if self.broken and self.asked == 1:
            raise EngineError("a hidden state is NaN")
        return self.decoder.decode(example, full_tokens)


def test_a_failure_is_kept_with_its_row_and_a_second_run_does_only_what_is_missing(opened, load, tmp_path):
    examples = load("py150")
    full = choose_configurations(opened, Wanted(("full",), ()), examples.examples).configurations[0]
    breaks = Breaks(full.decoder)
    configurations = [Configuration("full", "profile", "", breaks)]
    out = tmp_path / "results.jsonl"
    first = run(examples, configurations, opened.tokenizer, HEADER, out, Shard(), quiet)
    assert len(first.results) == 1
    (failure,) = first.failures.values()
    assert failure.cause == f"row {examples.examples[0].row}: a hidden state is NaN"
    breaks.broken = False
    second = run(examples, configurations, opened.tokenizer, HEADER, out, Shard(), quiet)
    assert (len(second.results), breaks.asked) == (2, 3)
    assert [json.loads(line)["kind"] for line in out.read_text().splitlines()].count("result") == 2
    run(examples, configurations, opened.tokenizer, HEADER, out, Shard(), quiet)
    assert breaks.asked == 3


def test_two_shards_run_every_example_once(opened, load, tmp_path):
    examples = load("py150", limit=3)
    chosen = choose_configurations(opened, Wanted(("full",), ()), examples.examples).configurations
    ran = [
        set(run(examples, chosen, opened.tokenizer, HEADER, tmp_path / str(part), Shard(part, 2), quiet).examples)
        for part in range(2)
    ]
    assert ran[0] | ran[1] == {example.id for example in examples.examples}
    assert not ran[0] & ran[1]


def test_configurations_take_turns_and_peers_are_last():
    names = [Configuration(name, kind, "", None) for name, kind in (("a", "profile"), ("hf", "peer"), ("b", "control"))]  # type: ignore[arg-type]
    assert ["".join(each.name for each in rotated(names, turn)) for turn in range(3)] == ["abhf", "bahf", "abhf"]


def test_unknown_names_are_one_line_and_what_a_bundle_lacks_is_reported(opened, load):
    examples = load("py150").examples
    with pytest.raises(EvaluationError, match="unknown profile 'turbo'; there are: full, exact, balanced, eco"):
        choose_configurations(opened, Wanted(("turbo",), ()), examples)
    with pytest.raises(EvaluationError, match="unknown control 'oracle'; there are: exits, fixed, random"):
        choose_configurations(opened, Wanted((), ("oracle",)), examples)
    chosen = choose_configurations(opened, Wanted((), ("fixed",), ("gpt",)), examples)
    assert [each.name for each in chosen.configurations] == [
        "full",
        *(f"fixed-{depth}" for depth in opened.bundle.exits),
    ]
    assert "unknown peer 'gpt'" in chosen.left_out[0]
