"""The report: what it says of results made by hand, and that it needs nothing but itself."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.metrics.bootstrap import Estimate
from greencode_lsp.evaluation.report.claims import claims, negative
from greencode_lsp.evaluation.report.frontier import Advantage, advantages, best_between
from greencode_lsp.evaluation.report.page import render
from greencode_lsp.evaluation.report.paper import read_paper
from greencode_lsp.evaluation.report.plots import depth_colour, relative
from greencode_lsp.evaluation.report.shown_cases import best_cases, subject, worst_cases
from greencode_lsp.evaluation.report.token_kinds import kind_of
from greencode_lsp.evaluation.runs.records import Failure
from greencode_lsp.evaluation.summary import Summary, summarise
from tests.evaluation.cases import journal


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarise(journal())


def test_a_summary_has_each_figure_with_interval_and_paired_difference(summary):
    balanced = summary.row("balanced")
    assert balanced is not None
    assert balanced.figures["exact_match"].value == 75
    assert balanced.differences["exact_match"].value == -25
    assert balanced.differences["joules"].value == pytest.approx(-2.0)
    assert balanced.differences["joules"].low == pytest.approx(-2.0)  # the same on every example
    shown = summary.as_json()
    assert (shown["suite"], shown["examples"], shown["clusters"]) == ("py150", 4, 2)
    row = next(row for row in shown["rows"] if row["profile"] == "balanced")
    agreed = {"exact_match", "edit_similarity", "rouge_l", "bleu", "chrf", "mean_exit_layer", "joules", "tokens_per_s"}
    assert agreed <= row.keys()
    assert row["ci95"]["exact_match"] == [50, 100]
    assert row["minus_full"]["exact_match"]["value"] == -25


def test_only_examples_that_every_configuration_answered_are_compared():
    partly = journal()
    del partly.results["row-1", "fixed-12"]
    summary = summarise(partly)
    assert (summary.examples, summary.incomplete) == (3, 1)


def test_examples_of_a_shard_that_is_not_here_are_missed():
    shard = journal()
    shard.header["planned"] = 12
    assert (summarise(shard).examples, summarise(shard).incomplete) == (4, 8)


def test_a_configuration_that_failed_throughout_is_left_out_with_its_cause():
    partly = journal()
    for example, name in [key for key in partly.results if key[1] == "fixed-12"]:
        del partly.results[example, name]
        partly.failures[example, name] = Failure(example, name, "row 1: a hidden state is NaN")
    summary = summarise(partly)
    assert (summary.examples, summary.incomplete, summary.row("fixed-12")) == (4, 0, None)
    (line,) = [line for line in summary.missing if line.startswith("fixed-12")]
    assert "a hidden state is NaN" in line


def test_without_any_answer_of_full_depth_nothing_can_be_compared():
    partly = journal()
    for example, name in [key for key in partly.results if key[1] == "full"]:
        del partly.results[example, name]
        partly.failures[example, name] = Failure(example, name, "row 1: a hidden state is NaN")
    with pytest.raises(EvaluationError, match="a hidden state is NaN"):
        summarise(partly)


def test_two_points_mixed_reach_what_lies_between_them():
    places, values = np.array([[1.0], [3.0], [2.0]]), np.array([[10.0], [50.0], [20.0]])
    assert best_between(places, values, np.array([2.0])).tolist() == [30.0]  # above the point at 2 itself
    assert best_between(places, values, np.array([3.0])).tolist() == [50.0]
    assert np.isnan(best_between(places, values, np.array([0.5]))).all()


def test_a_profile_is_compared_with_the_controls_at_its_depth_and_with_mixed_exits(summary):
    found = {each.control: each for each in advantages(summary, "exact_match")}
    assert set(found) == {"fixed exits, mixed", "random-balanced"}
    random = found["random-balanced"]
    assert random.quality.value == 50
    assert random.joules.value == pytest.approx(0.5)
    assert random.verdict == "better"
    fixed = found["fixed exits, mixed"]  # between 25 % at 1.75 J and 100 % at 4.25 J
    assert fixed.quality.value == pytest.approx(75 - (25 + 75 * (2.25 - 1.75) / 2.5))
    assert fixed.joules.value == pytest.approx(1.75 + 2.5 * 50 / 75 - 2.25)


def estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, np.array([low, high]))


@pytest.mark.parametrize(
    ("quality", "joules", "verdict"),
    [
        ((1, 2), (-1, 1), "better"),
        ((-2, -1), (-1, 1), "worse"),
        ((1, 2), (-2, -1), "better in one, worse in the other"),
        ((-1, 1), (-1, 1), "no clear difference"),
    ],
)
def test_a_verdict_needs_a_whole_interval_on_one_side(quality, joules, verdict):
    assert Advantage("eco", "random-eco", estimate(*quality), estimate(*joules)).verdict == verdict


def test_the_examples_are_chosen_by_rule(summary):
    row = subject(summary)
    assert row is not None
    assert row.name == "exits-balanced"
    assert {case.example.cluster for case in best_cases(row)} == {"a", "b"}
    assert [case.example.id for case in worst_cases(row)] == ["row-4"]


def test_tokens_have_kinds():
    kinds = {"self": "identifier", " return": "keyword", "12": "number", "():": "punctuation", "\n    ": "layout"}
    assert {piece: kind_of(piece, "python") for piece in kinds} == kinds
    assert (kind_of("final", "java"), kind_of("final", "python")) == ("keyword", "identifier")


def test_depths_have_colours_from_the_first_exit_to_the_last_layer():
    assert depth_colour(6, (6, 12, 30)) == "#2fbf71"
    assert depth_colour(30, (6, 12, 30)) == "#e8505b"
    assert depth_colour(12, (6, 12, 30)) == "#d9c300"


def test_the_papers_numbers_are_those_of_its_results_and_both_baselines_are_told():
    summary, paper = summarise(journal("paper")), read_paper()
    point = next(each for each in paper.of("java") if each.threshold == 0.92 and each.model.startswith("Llama"))
    assert (point.energy, point.rouge_l, point.codebleu, point.depth) == (-23.0, -3.7, -5.3, 17.6)
    table = {claim.claim: claim for claim in claims(summary, paper)}
    energy = table["Energy per completion falls by 23 to 50 % on average"]
    assert energy.as_paper.startswith("exits-balanced -43.8 %")  # 4 * 2.25 J of 16 J, in both ways of running
    assert energy.cached.startswith("exits-balanced -43.8 %")
    rouge = relative(summary, summary.row("balanced"), "rouge_l").value  # type: ignore[arg-type]
    assert rouge is not None
    assert f"balanced {rouge:+.1f} %" in table["without significantly affecting accuracy: ROUGE-L"].cached
    assert negative(estimate(10, 20)) == "-15.0 % [-20.0, -10.0]"


class Elements(HTMLParser):
    """Collects what a page would load, and checks that its tags are closed."""

    void = frozenset({"meta", "br", "path", "use", "image", "link", "defs"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void and tag != "li":
            while self.open and self.open.pop() != tag:
                pass


def test_a_page_to_publish_quotes_nothing_of_the_data(summary):
    lines = [case.example.reference for case in summary.row("full").cases]
    assert any(line in render([summary]) for line in lines)
    published = render([summary], examples=False)
    assert not any(line in published for line in [*lines, "nothing like it at all"])
    assert "Where tokens are read" in published


def test_the_page_holds_everything_it_needs(summary):
    page = render([summary, summarise(journal("paper"))])
    elements = Elements()
    elements.feed(page)
    assert {"svg", "table", "figure", "style"} <= elements.seen
    assert "script" not in elements.seen
    assert all(load.startswith("#") for load in elements.loads)
    assert not re.search(r"url\((?!#)|@import", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "the plots' inner ids are apart"
    for name in re.findall(r"(?:href=\"|url\()#([^\")]+)", page):
        assert name in ids
    assert "prefers-color-scheme: dark" in page
    assert "&lt;nothing&gt;" in page  # what comes from outside is text
    assert "2 x the prompt is empty" in page
    assert "The baselines differ" in page
    assert 'title="layer 12"' in page
