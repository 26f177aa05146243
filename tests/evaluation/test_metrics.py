"""Each metric against a value computed by hand, and the intervals against their definition."""

import math
import sys

import numpy as np
import pytest
from codebleu import calc_codebleu
from sacrebleu.metrics import BLEU, CHRF

from greencode_lsp.evaluation.metrics.bootstrap import Bootstrap
from greencode_lsp.evaluation.metrics.choice import choose_metrics
from greencode_lsp.evaluation.metrics.code_bleu import code_bleu_metrics
from greencode_lsp.evaluation.metrics.metric import Metric
from greencode_lsp.evaluation.metrics.sacre import sacre_metrics
from greencode_lsp.evaluation.runs.records import Case, Forced
from tests.evaluation.cases import case, cost, example, result


def value(name: str, *cases: Case, form: str = "raw") -> float | None:
    metrics, missing = choose_metrics(form, "python")
    assert not missing
    metric = next(metric for metric in metrics if metric.name == name)
    return Bootstrap([each.example.cluster for each in cases]).estimate(metric, cases).value


def test_exact_match_ignores_blanks_around_a_line_but_not_around_a_window():
    assert value("exact_match", case(" x = 1", "x = 1 "), case("y", "x")) == 50
    assert value("exact_match", case(" x = 1", "x = 1"), form="windows") == 0


def test_edit_similarity_is_twice_the_common_letters_over_all():
    assert value("edit_similarity", case("abcd", "abxd")) == pytest.approx(200 * 3 / 8)


def test_codexglue_scores_are_those_of_the_tokens():
    same = case("f(a)", "f( a )", gold_text="f ( a )", gold="f ( a )")
    near = case("f(b)", "f(a)", gold_text="f ( b )", gold="f ( a )")
    assert value("codexglue_exact_match", same, near) == 50
    assert value("codexglue_edit_similarity", near) == 86  # 2 * 6 / 14, rounded


def test_a_line_is_accepted_when_it_is_right_or_a_right_beginning_of_five_letters():
    cases = [
        case("", "return value", shown=shown) for shown in ("return value", "return", "retur", "retu", "return x", "")
    ]
    assert value("first_line_acceptance", *cases) == pytest.approx(100 * 3 / 6)
    assert value("joules_per_accepted", *cases) == 6 * 2.0 / 3


def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence():
    # words: get, the, value / get, value -> 2 common of 3 and 2: 2 * (2/3) * 1 / (2/3 + 1)
    assert value("rouge_l", case("get the value", "get value")) == pytest.approx(80)
    assert value("rouge_l", case("= { }", "= { }")) == 0  # its own tokens know no signs
    assert value("rouge_l_code", case("= { }", "= { }")) == 100
    assert value("rouge_l_code", case("f(a)", "f(b)")) == pytest.approx(75)


def test_bleu_is_the_mean_of_precisions_with_a_penalty_for_shortness():
    # 1- to 4-gram precisions 5/5, 4/4, 3/3, 2/2; five words for six
    expected = 100 * math.exp(1 - 6 / 5)
    assert value("bleu", case("a b c d e", "a b c d e f")) == pytest.approx(expected)


def test_chrf_is_one_for_equal_texts_and_counts_letters():
    assert value("chrf", case("value", "value")) == 100
    # one letter of "ab" is right: precision and recall 1/2 for letters, 0 for pairs
    assert value("chrf", case("ac", "ab")) == pytest.approx(25)


@pytest.mark.parametrize("language", ["python", "java"])
def test_codebleu_of_summed_counts_is_the_packages_own_of_the_whole(language):
    texts = {
        "python": [("y = x + 1\nreturn y", "y = x + 2\nreturn y"), ("for a in b:\n    c(a)", "for a in b:\n    d(a)")],
        "java": [("int y = x + 1; return y;", "int y = x + 2; return y;"), ("a.b(c);", "a.b(d); e();")],
    }[language]
    cases = [case(text, reference) for text, reference in texts]
    expected = calc_codebleu([reference for _, reference in texts], [text for text, _ in texts], language)
    names = (
        "codebleu",
        "ngram_match_score",
        "weighted_ngram_match_score",
        "syntax_match_score",
        "dataflow_match_score",
    )
    for metric, name in zip(code_bleu_metrics(language), names, strict=True):
        ours = Bootstrap(["a", "b"]).estimate(metric, cases).value
        assert ours == pytest.approx(100 * expected[name]), name


def test_bleu_and_chrf_of_summed_counts_are_sacrebleus_own_of_the_whole():
    texts = [("a b c d e", "a b c x e"), ("f(a, b)", "f(a, c)"), ("return None", "return x")]
    cases = [case(text, reference) for text, reference in texts]
    predicted, true = [text for text, _ in texts], [[reference for _, reference in texts]]
    for metric, theirs in zip(sacre_metrics(), (BLEU(), CHRF()), strict=True):
        ours = Bootstrap(["a", "b", "c"]).estimate(metric, cases).value
        assert ours == pytest.approx(theirs.corpus_score(predicted, true).score)


def test_depth_energy_and_speed_are_sums_over_sums():
    one = case("a b", "a b", depth=10, forced=Forced(2, 4, 60))
    other = case("a b c d", "x", depth=28, cost=cost(6.0, 8.0), forced=Forced(1, 2, 60), passed=True)
    assert value("mean_exit_layer", one, other) == (2 * 10 + 4 * 28) / 6
    assert value("next_token_accuracy", one, other) == pytest.approx(50)
    assert value("forced_exit_layer", one, other) == 20
    assert value("joules", one, other) == 4
    assert value("saved", one, other) == pytest.approx(100 * (1 - 8 / 12))
    assert value("saved_uncached", one, other) == pytest.approx(100 * (1 - 40 / 60))
    assert value("tokens_per_s", one, other) == 6.0
    assert value("ms", one, other) == 750
    assert value("counted_joules", one, other) is None  # the meter was too coarse


def test_pass_at_1_is_the_share_of_programs_that_passed():
    cases = [case("a", "a", passed=passed) for passed in (True, False, False, True)]
    assert value("pass_at_1", *cases, form="prefix") == 50


def test_the_same_text_as_full_depth_is_counted():
    full = result("row-1", "full", "a b")
    cases = [Case(example("row-1", "x"), result("row-1", "eco", text), full) for text in ("a b", "a c")]
    assert value("same_as_full", *cases) == 50


def test_a_missing_library_is_one_line_and_that_metric_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    monkeypatch.setitem(sys.modules, "codebleu", None)
    metrics, missing = choose_metrics("windows", "python")
    names = {metric.name for metric in metrics}
    assert {"exact_match", "bleu", "joules"} <= names
    assert not {"rouge_l", "codebleu"} & names
    assert [line.split(" is left out")[0] for line in missing] == ["ROUGE-L", "CodeBLEU"]
    assert all("pip install '.[eval]'" in line for line in missing)


def exact_match() -> Metric:
    return next(metric for metric in choose_metrics("raw", "python")[0] if metric.name == "exact_match")


def test_examples_of_one_cluster_are_resampled_together():
    """All of a cluster's ten examples agree: they say no more than two examples would."""
    cases = [case("a" if cluster == "good" else "b", "a") for cluster in ("good", "bad") for _ in range(10)]
    clustered = Bootstrap(["good"] * 10 + ["bad"] * 10).estimate(exact_match(), cases)
    assert (clustered.value, clustered.low, clustered.high) == (50, 0, 100)
    independent = Bootstrap([str(index) for index in range(20)]).estimate(exact_match(), cases)
    # the interval of a share of 20 is 1.96 * sqrt(.25 / 20) to each side
    assert independent.low is not None
    assert independent.high is not None
    assert independent.high - independent.low == pytest.approx(200 * 1.96 * math.sqrt(0.25 / 20), abs=5)


def test_one_cluster_has_a_value_and_no_interval():
    only = Bootstrap(["a", "a"]).estimate(exact_match(), [case("a", "a"), case("b", "a")])
    assert (only.value, only.low, only.high) == (50, None, None)


def test_a_difference_is_paired():
    """One is always right where the other is, and on one example more: the interval knows that."""
    clusters = [str(index) for index in range(40)]
    bootstrap = Bootstrap(clusters)
    other = [case("a" if index % 2 else "b", "a") for index in range(40)]
    better = [case("a" if index % 2 or index == 0 else "b", "a") for index in range(40)]
    one, two = bootstrap.estimate(exact_match(), better), bootstrap.estimate(exact_match(), other)
    difference = bootstrap.difference(one, two)
    assert difference.value == 2.5
    assert difference.low is not None
    assert difference.high is not None
    assert 0 <= difference.low < difference.high < 10
    assert np.array_equal(difference.samples, one.samples - two.samples)
