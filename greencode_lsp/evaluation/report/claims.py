"""The paper's claims beside our measurements: same data set, same protocol, same words, both baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greencode_lsp.evaluation.metrics.bootstrap import Estimate
from greencode_lsp.evaluation.report.frontier import advantages
from greencode_lsp.evaluation.report.paper import EqualDepth, Paper
from greencode_lsp.evaluation.report.plots import relative
from greencode_lsp.evaluation.summary import Row, Summary

PROFILES = ("exits-balanced", "exits-eco", "exact", "balanced", "eco")
"""The exits alone, which are what the paper is about; then what people run, with guesses as well."""


@dataclass(frozen=True)
class Claim:
    """A claim, what the paper measured, and what we measured: as the paper did, and against K/V-cached full depth."""

    claim: str
    paper: str
    as_paper: str
    cached: str


def claims(summary: Summary, paper: Paper) -> list[Claim]:
    """Return the table for one suite; what a bundle cannot run is a question mark."""
    points = paper.of(summary.language)
    low, high = paper.claimed_saving
    return [
        Claim(
            f"Energy per completion falls by {low:g} to {high:g} % on average",
            spread([point.energy for point in points]),
            of_profiles(summary, lambda row: negative(row.figures["saved_uncached"])),
            of_profiles(summary, lambda row: negative(row.figures["saved"])),
        ),
        Claim(
            "without significantly affecting accuracy: ROUGE-L",
            spread([point.rouge_l for point in points]),
            "the text is the same",
            of_profiles(summary, lambda row: percent(relative(summary, row, "rouge_l"))),
        ),
        Claim(
            "the same: CodeBLEU",
            spread([point.codebleu for point in points]),
            "the text is the same",
            of_profiles(summary, lambda row: percent(relative(summary, row, "codebleu"))),
        ),
        Claim(
            "A learned policy beats a fixed exit",
            "; ".join(
                f"{each.what}: keeps {each.policy} %, fixed {each.fixed} %" for each in at_equal_depth(summary, paper)
            ),
            "not measured without K/V cache",
            beside_fixed(summary),
        ),
        Claim(
            "K/V may be copied upward from the exit",
            paper.propagation,
            "the paper did not measure its energy",
            propagated(summary),
        ),
    ]


def of_profiles(summary: Summary, write: Callable[[Row], str]) -> str:
    """Write a figure of each profile where it is known."""
    found = [(name, write(row)) for name in PROFILES if (row := summary.row(name)) is not None]
    known = [f"{name} {figure}" for name, figure in found if figure != "?"]
    return "; ".join(known) or "? (no profile of this bundle exits)"


def spread(values: Sequence[float]) -> str:
    """Write what the paper's runs span, by threshold and model."""
    return f"{min(values):+.1f} to {max(values):+.1f} % by threshold and model" if values else "?"


def percent(estimate: Estimate) -> str:
    """Write a change in percent with its interval."""
    if estimate.value is None:
        return "?"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.1f} %"
    return f"{estimate.value:+.1f} % [{estimate.low:+.1f}, {estimate.high:+.1f}]"


def negative(saved: Estimate) -> str:
    """Write a saving as a change."""
    if saved.value is None:
        return "?"
    low, high = (None if bound is None else -bound for bound in (saved.high, saved.low))
    return percent(Estimate(-saved.value, low, high, -saved.samples))


def at_equal_depth(summary: Summary, paper: Paper) -> list[EqualDepth]:
    """Return the paper's comparison in this suite's language."""
    return [each for each in paper.retention_at_equal_depth if f", {summary.language.capitalize()}," in each.what]


def beside_fixed(summary: Summary) -> str:
    """Write how far the profiles' ROUGE-L is above that of mixed fixed exits for the same joules."""
    found = [each for each in advantages(summary, "rouge_l") if each.control.startswith("fixed")]
    return "; ".join(f"{each.profile}: {points(each.quality)} for the same joules" for each in found) or "?"


def points(estimate: Estimate) -> str:
    """Write a difference of scores with its interval."""
    return percent(estimate).replace(" %", " points")


def propagated(summary: Summary) -> str:
    """Write how propagated K/V compare with exact ones under the same policy."""
    copied, exact = summary.row("propagate"), summary.row("exits-balanced")
    if copied is None or exact is None:
        return "?"
    one, other = copied.figures["rouge_l"], exact.figures["rouge_l"]
    if not one.value or not other.value:
        return "?"
    change = summary.bootstrap.around(100 * (one.value / other.value - 1), 100 * (one.samples / other.samples - 1))
    saved = {name: row.figures["saved"] for name, row in (("copied", copied), ("exact", exact))}
    return (
        f"ROUGE-L {percent(change)} against exact K/V, both by balanced's policy; energy "
        f"{negative(saved['copied'])} copied, {negative(saved['exact'])} exact"
    )
