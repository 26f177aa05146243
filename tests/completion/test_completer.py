"""Suggestions of the real default model."""

import itertools
import textwrap
import threading
from pathlib import Path

import pytest

from greencode_lsp.completion.completer import Completer, last_tokens
from greencode_lsp.completion.loading import choose_device, load_completer
from greencode_lsp.completion.metering import run_prices
from greencode_lsp.completion.profiles import Profile, ProfileError, resolve_profile
from greencode_lsp.completion.suggestion import CompletionRequest, LoadOptions, SuggestedToken
from greencode_lsp.energy import CostTable
from greencode_lsp.engine import EarlyExitModel, EngineError
from greencode_lsp.engine.drafts.guessing import GUESSES
from greencode_lsp.engine.model import FEW_ROWS
from greencode_lsp.policy import Reading, Verdict

STACK = '''class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def is_empty(self):
        """Say whether there are no items."""
        return '''


@pytest.fixture(scope="module")
def completer(default_bundle_folder, tmp_path_factory) -> Completer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENCODE_DATA", str(tmp_path_factory.mktemp("data")))
        return load_completer(LoadOptions())


def test_a_real_suggestion_makes_sense(completer):
    suggestion = completer.complete(CompletionRequest("sense", STACK))
    assert suggestion.text == "len(self.items) == 0"


def test_exact_says_what_full_says(completer):
    places = (STACK, STACK[:80], "import os\n\n\ndef list_files(path):\n    ", "for i in range(")
    for place in places:
        full = completer.complete(CompletionRequest("a", place, profile="full", max_tokens=24))
        exact = completer.complete(CompletionRequest("b", place, profile="exact", max_tokens=24))
        assert exact.text == full.text
        assert {token.exit_layer for token in full.tokens} <= {30}


def test_the_tokens_make_up_the_text(completer):
    for place in (STACK, STACK + "len(self.it", "def mean(values):\n    "):
        suggestion = completer.complete(CompletionRequest("tokens", place, profile="exact", max_tokens=24))
        assert "".join(token.text for token in suggestion.tokens) == suggestion.text
        assert {token.exit_layer for token in suggestion.tokens} <= {*completer.exits, 30}


def test_full_depth_costs_what_full_depth_costs(completer):
    suggestion = completer.complete(CompletionRequest("energy", STACK + " ", profile="full"))
    assert suggestion.charge.joules == pytest.approx(suggestion.charge.joules_full)
    assert suggestion.charge.joules > 0
    assert suggestion.mean_exit_layer == 30


def test_eco_reads_tokens_at_different_depths_and_costs_less(completer):
    places = (STACK, "import os\n\n\ndef list_files(path):\n    ", "for i in range(", "public class Main {\n    ")
    asked = [CompletionRequest(f"eco {place}", place, profile="eco", max_tokens=24) for place in places]
    found = [suggestion for one in asked if (suggestion := completer.complete(one))]
    depths = {token.exit_layer for suggestion in found for token in suggestion.tokens}
    assert depths <= {*completer.exits, 30}
    assert len(depths) > 2
    assert sum(one.charge.joules for one in found) < sum(one.charge.joules_full for one in found)


class GivesUp:
    """A policy that sees at the first exit that nothing worth showing will come."""

    def decide(self, reading: Reading) -> Verdict:
        return Verdict.STOP


def test_a_policy_that_gives_up_shows_nothing_and_runs_no_deep_layer(completer, monkeypatch):
    monkeypatch.setattr(
        "greencode_lsp.completion.completer.resolve_profile", lambda *_: Profile("eco", GivesUp, guessing=True)
    )
    suggestion = completer.complete(CompletionRequest("hopeless", STACK[:120]))
    assert (suggestion.text, suggestion.tokens, suggestion.generated_tokens) == ("", (), 0)
    assert suggestion.charge.joules < 0.5 * suggestion.charge.joules_full


def test_a_cached_answer_costs_nothing_and_types_through(completer):
    first = completer.complete(CompletionRequest("cache", STACK))
    second = completer.complete(CompletionRequest("cache", STACK + first.text[:5]))
    assert second.cached
    assert second.text == first.text[5:]
    assert "".join(token.text for token in second.tokens) == second.text
    assert (second.charge.joules, second.charge.joules_full) == (0.0, 0.0)
    assert second.id != first.id


def test_a_suggestion_ends_where_it_is_no_longer_likely_to_be_right(completer):
    for place in (STACK[:80], "import os\n\n\ndef list_files(path):\n    ", "def mean(values):\n    "):
        whole = completer.complete(CompletionRequest(f"whole {place}", place))
        texts = [
            completer.complete(CompletionRequest(f"{percent} {place}", place, least_certain=percent / 100)).text
            for percent in (0, 10, 30, 60, 90)
        ]
        assert texts[0] == whole.text
        assert all(longer.startswith(shorter) for longer, shorter in itertools.pairwise(texts))
        assert len(texts[-1]) < len(whole.text)


@pytest.mark.parametrize("profile", ["full", "exact", "balanced", "eco"])
def test_where_nothing_is_likely_nothing_is_shown_and_one_token_is_charged(completer, profile):
    place = "# All that has been said of it:\n# "
    suggestion = completer.complete(CompletionRequest(f"unlikely {profile}", place, profile=profile, least_certain=0.9))
    assert (suggestion.text, suggestion.tokens, suggestion.generated_tokens) == ("", (), 0)
    assert suggestion.charge.joules > 0
    assert suggestion.charge.joules == pytest.approx(suggestion.charge.joules_full, rel=0.6)


def test_a_whole_suggestion_serves_a_request_for_a_likely_one_and_not_the_other_way_round(completer):
    place = "def mean(values):\n    "
    whole = completer.complete(CompletionRequest("whole first", place))
    again = completer.complete(CompletionRequest("whole first", place, least_certain=0.5))
    assert (again.text, again.cached) == (whole.text, True)
    likely = completer.complete(CompletionRequest("likely first", place, least_certain=0.5))
    assert len(likely.text) < len(whole.text)
    later = completer.complete(CompletionRequest("likely first", place))
    assert (later.text, later.cached) == (whole.text, False)


def test_far_rows_of_a_long_file_cost_less_and_what_must_be_exact_never_reads_them(completer):
    for name in ("balanced", "eco"):
        assert resolve_profile(name, completer.policy).fill in completer.model.fillings
    prefix = Path(textwrap.__file__).read_text(encoding="utf-8")[:3000]
    asked = {name: CompletionRequest("long", prefix, profile=name, max_tokens=4) for name in ("balanced", "full")}
    balanced, full = completer.complete(asked["balanced"]), completer.complete(asked["full"])
    assert balanced.charge.joules < 0.92 * balanced.charge.joules_full
    assert (full.reused_tokens, full.charge.joules) == (0, pytest.approx(full.charge.joules_full))
    alone = completer.complete(CompletionRequest("another", prefix, profile="full", max_tokens=4))
    assert full.text == alone.text


def test_the_next_keystroke_reuses_what_was_computed(completer):
    completer.complete(CompletionRequest("reuse", STACK))
    second = completer.complete(CompletionRequest("reuse", STACK + "not "))
    assert second.reused_tokens >= 50
    fresh = completer.complete(CompletionRequest("fresh", STACK + "not "))
    assert fresh.reused_tokens == 0
    assert fresh.text == second.text


def test_a_cancelled_completion_is_charged_and_can_be_asked_for_again(completer):
    stop = threading.Event()
    looks = iter([False] * 12)
    request = CompletionRequest("cancel", STACK[:90], cancelled=lambda: next(looks, True) or stop.is_set())
    totals_before = totals(completer)
    assert completer.complete(request) is None
    assert totals(completer) > totals_before
    again = completer.complete(CompletionRequest("cancel", STACK[:90]))
    assert again.text == completer.complete(CompletionRequest("uncancelled", STACK[:90])).text


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("", ""),
        ("  \n", "x = 1"),
        ("PNG\0\0\0", ""),
        ("x = 1", "\0"),
        ("x = 1\n" * 800_000, ""),
        ("x = " + "f(" * 11_000, ""),
    ],
    ids=["empty", "blank", "binary before", "binary behind", "huge", "one endless line"],
)
def test_what_is_no_source_code_gets_no_suggestion(completer, prefix, suffix):
    assert completer.complete(CompletionRequest("none", prefix, suffix)) is None


@pytest.mark.parametrize("text", ["s = '\ud83d", "x = '🙂🙂", "\ufeffx = ", "a\x0cb = ", "ключ = 'я"])
def test_odd_characters_do_no_harm(completer, text):
    assert completer.complete(CompletionRequest("odd", text, max_tokens=6)) is not None


def test_an_unknown_profile_or_model_or_device_names_the_choices(completer):
    with pytest.raises(ProfileError, match="there are: full, exact"):
        completer.complete(CompletionRequest("profile", STACK, profile="turbo"))
    with pytest.raises(Exception, match="smollm2-135m"):
        load_completer(LoadOptions(model="no-such-model"))
    with pytest.raises(EngineError, match="set it to auto or cpu"):
        load_completer(LoadOptions(device="cuda"))


def test_what_further_rows_cost_here_decides_how_much_is_guessed(completer):
    table = CostTable((1, 4, 16), (1.0, 1.9, 6.0), (2.0, 3.8, 12.0), "estimate")
    unknown = (1.0, 1.2, 1.4, 1.6)
    assert run_prices(table, 30, unknown) == pytest.approx((1.0, 1.3, 1.6, 1.9))
    assert run_prices(CostTable((1, 4), (0.0, 0.0), (0.0, 0.0), "estimate"), 30, unknown) == unknown
    prices = completer.model.run_prices
    assert len(prices) == FEW_ROWS > GUESSES
    assert 1 == prices[0] <= prices[1] <= prices[-1] < FEW_ROWS
    assert prices != EarlyExitModel(completer.model.backbone).run_prices


def test_of_several_gpus_the_one_in_use_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 1)
    assert [choose_device(name) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]


def test_the_last_tokens_of_a_text_keep_their_depths():
    tokens = (SuggestedToken("re", 6), SuggestedToken("turn", 12), SuggestedToken(" x", 30))
    assert last_tokens(tokens, 4) == (SuggestedToken("rn", 12), SuggestedToken(" x", 30))
    assert last_tokens(tokens, 8) == tokens
    assert last_tokens(tokens, 0) == ()


def totals(completer: Completer) -> float:
    from greencode_lsp.energy import Ledger, grid_factor

    assert isinstance(completer.ledger, Ledger)
    return completer.ledger.today(grid_factor("world")).watt_hours or 0.0
