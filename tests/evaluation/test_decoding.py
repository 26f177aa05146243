from collections.abc import Sequence

import pytest

from greencode_lsp.completion.loading import load_completer
from greencode_lsp.completion.profiles import resolve_profile
from greencode_lsp.completion.suggestion import LoadOptions
from greencode_lsp.energy import EstimateMeter
from greencode_lsp.errors import UserError
from greencode_lsp.evaluation.benchmark.decoding import Run, compare, fastest
from greencode_lsp.evaluation.benchmark.gauge import Gauge, Reading
from greencode_lsp.evaluation.benchmark.llama_cpp_peer import build_options
from greencode_lsp.evaluation.benchmark.own_engine import OwnEngine, ignore_end_of_text
from greencode_lsp.evaluation.benchmark.peers import make_peer
from greencode_lsp.evaluation.benchmark.source_files import prompt_ids


class FakeEngine:
    """Takes fixed times; notes in a shared list that it ran."""

    def __init__(self, name: str, seconds: list[float], log: list[str], profile: str | None = None) -> None:
        self.name, self.profile, self.detail = name, profile, "fake"
        self.source: str | None = "estimate"
        self._seconds, self._log = iter(seconds), log

    def run(self, prompt: Sequence[int], tokens: int) -> Run:
        self._log.append(self.name)
        decode = Reading(next(self._seconds), joules=2.0)
        return Run([1, 2, 3, 4, 5], prefill=Reading(0.5, joules=1.0), decoded=4, decode=decode)


@pytest.fixture(scope="module")
def completer(default_bundle_folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENCODE_DATA", str(tmp_path_factory.mktemp("data")))
        completer = load_completer(LoadOptions())
    ignore_end_of_text(completer.model)
    return completer


def test_engines_run_in_turns_and_medians_become_rows_and_ratios():
    log: list[str] = []
    ours = FakeEngine("ours", [9.0, 1.0, 2.0, 100.0], log, profile="full")
    peer = FakeEngine("peer", [9.0, 4.0, 4.0, 4.0], log)
    first, second = compare([ours, peer], prompts=[[0] * 10, [1] * 10], tokens=5, rounds=3)
    assert log == ["ours", "peer"] * 4  # the first of each warms up
    assert (first.tokens_per_s, second.tokens_per_s) == (2.0, 1.0)
    assert first.ms_per_token == 500
    assert first.prefill_tokens_per_s == 20
    assert first.joules_per_token == 0.5
    assert (first.total_ms, first.joules) == (2500, 3.0)
    assert (first.ratios, second.ratios) == ({"peer": 2.0}, {"peer": 1.0})
    assert second.same_tokens == 5


def test_the_fastest_variant_of_a_peer_is_taken():
    log: list[str] = []
    slow, quick = FakeEngine("slow", [1.0, 3.0, 3.0], log), FakeEngine("quick", [1.0, 9.0, 2.0], log)
    assert fastest([lambda: slow, lambda: quick], [0]).name == "quick"


def test_joules_are_unknown_where_the_counter_is_too_coarse():
    class Coarse:
        source, detail = "nvml", ""

        def read_joules(self) -> float:
            return 5.0

    gauge = Gauge(Coarse())
    assert gauge.between(Reading(0.0, 1.0), Reading(0.2, 5.0)).joules is None
    assert gauge.between(Reading(0.0, 1.0), Reading(2.0, 5.0)).joules == 4.0
    assert Gauge(None).between(Gauge(None).read(), Gauge(None).read()).joules is None


@pytest.mark.slow
def test_all_engines_decode_the_same_text_of_the_same_length(completer, default_bundle_folder):
    (prompt,) = prompt_ids(completer.tokenizer, 40)
    gauge = Gauge(EstimateMeter())
    peers = [
        make_peer(name, default_bundle_folder, "cpu", completer.model.early_exits, gauge, prompt, 6)
        for name in ("hf", "layerskip")
    ]
    profiles = [resolve_profile(name, completer.policy) for name in ("full", "exact")]
    rows = compare([*(OwnEngine(completer.model, each, gauge) for each in profiles), *peers], [prompt], 6, rounds=1)
    assert [(row.engine, row.profile) for row in rows] == [
        ("greencode", "full"),
        ("greencode", "exact"),
        ("hf", None),
        ("layerskip", None),
    ]
    assert rows[2].detail in ("bfloat16", "float32")
    assert all(row.same_tokens >= 1 for row in rows)  # other number formats may part where two tokens are close
    assert all(row.tokens_per_s > 0 and (row.joules_per_token or 0) > 0 and row.source == "estimate" for row in rows)
    assert set(rows[0].ratios) == {"hf", "layerskip"}


def test_a_prompt_is_as_long_as_asked_for(completer):
    for count in (1, 512, 9_000):
        assert [len(ids) for ids in prompt_ids(completer.tokenizer, count, 3)] == [count] * 3


def test_an_unknown_peer_names_the_choices(default_bundle_folder):
    with pytest.raises(UserError, match=r"'gpt'.*hf, layerskip, llama.cpp"):
        make_peer("gpt", default_bundle_folder, "cpu", (6,), Gauge(None), [1], 1)


@pytest.mark.parametrize(
    ("peer", "module", "cure"),
    [("hf", "transformers", r"pip install '\.\[eval\]'"), ("llama.cpp", "llama_cpp", "CMAKE_ARGS=.*pip install")],
)
def test_an_absent_peer_is_one_line_with_the_cure(peer, module, cure, default_bundle_folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(UserError, match=cure) as raised:
        make_peer(peer, default_bundle_folder, "cpu", (6,), Gauge(None), [1], 1)
    assert "\n" not in str(raised.value)


def test_llama_cpp_is_built_without_amx_where_the_cpu_has_it():
    assert build_options(frozenset({"avx512f"})) == "-DGGML_NATIVE=ON"
    options = build_options(frozenset({"amx_tile", "avx512f", "avx512_vnni"}))
    assert options == "-DGGML_NATIVE=OFF -DGGML_AVX512=ON -DGGML_AVX512_VNNI=ON"
