"""Plots as SVG that takes the page's colours: text and lines are drawn in whatever colour the page's text has."""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from greencode_lsp.errors import installing
from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.metrics.bootstrap import Estimate
from greencode_lsp.evaluation.report.frontier import fixed_rows
from greencode_lsp.evaluation.report.paper import Paper
from greencode_lsp.evaluation.report.token_kinds import KINDS, kind_of
from greencode_lsp.evaluation.runs.records import Case
from greencode_lsp.evaluation.summary import FULL, Row, Summary

INK = "#123456"
"""Stands for the page's text colour until a plot is put into the page."""

COLOURS = {
    "full": "#3b82f6",
    "exact": "#06b6d4",
    "balanced": "#16a34a",
    "eco": "#84cc16",
    "exits": "#0f766e",
    "fixed": "#9ca3af",
    "random": "#f97316",
    "confidence": "#a855f7",
    "propagate": "#e11d48",
    "original": "#eab308",
}
MARKERS = {"exits": "P", "fixed": "s", "random": "X", "confidence": "D", "propagate": "v", "original": "^"}

PAPER_COLOURS = {
    "exits-balanced": COLOURS["balanced"],
    "exits-eco": COLOURS["eco"],
    "exact": COLOURS["exact"],
    "balanced": COLOURS["exits"],
    "eco": COLOURS["random"],
}
"""What is shown beside the paper's points: exits alone, which are its subject, and what people run."""

DEPTH_COLOURS = ("#2fbf71", "#8ac926", "#d9c300", "#ff9f1c", "#e8505b")
"""From shallow to full depth, as `greencode complete` has them."""

PROMPT_BINS = (128, 256, 512, 768)


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and its axes; raise `EvaluationError` where matplotlib is missing."""
    try:
        from matplotlib import rcParams
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EvaluationError(f"the report needs matplotlib; {installing('eval')}") from error
    rcParams.update(
        {
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 10,
            **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
        }
    )
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    figure.patch.set_alpha(0.0)
    axes.patch.set_alpha(0.0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=INK, alpha=0.12)
    axes.set_axisbelow(True)
    return figure, axes


def as_svg(figure: Any, name: str) -> str:
    """Return a figure as an SVG element; `name` keeps its inner ids apart from those of other plots."""
    from matplotlib import rcParams

    rcParams["svg.hashsalt"] = name
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)


def family(name: str) -> str:
    """Return what a configuration is a variant of."""
    return name.split("-", 1)[0]


def frontier_plot(summary: Summary, quality: str, label: str, energy: str = "joules") -> str:
    """Plot quality over joules for a completion, both beside full depth's on the same examples, with intervals.

    `energy` is "joules" for all of a completion, or "joules_decode" for what comes behind the prompt.
    """
    figure, axes = new_figure(8.5, 4.6)
    line = [(relative(summary, row, energy), row) for row in fixed_rows(summary)]
    axes.plot(
        [100 + (x.value or 0.0) for x, _ in line],
        [_value(row.differences, quality) for _, row in line],
        marker=MARKERS["fixed"],
        color=COLOURS["fixed"],
        linewidth=1,
        zorder=1,
        label="fixed, after layer",
    )
    for row in summary.rows:
        joules, difference, kind = relative(summary, row, energy), row.differences[quality], family(row.name)
        if joules.value is None or difference.value is None:
            continue
        is_profile = row.kind == "profile"
        axes.errorbar(
            100 + joules.value,
            difference.value,
            xerr=_bars(joules),
            yerr=_bars(difference),
            fmt=MARKERS.get(kind, "o"),
            color=COLOURS.get(kind, INK),
            markersize=9 if is_profile else 6,
            markerfacecolor="none" if row.name.endswith("-eco") else None,
            elinewidth=1,
            zorder=3 if is_profile else 2,
            label=None if kind == "fixed" else row.name,
        )
        if kind == "fixed":
            place = (100 + joules.value, difference.value)
            axes.annotate(row.name.removeprefix("fixed-"), place, (5, -12), textcoords="offset points", fontsize=8)
    axes.axhline(0, color=INK, linewidth=0.8)
    of_what = "for a completion" if energy == "joules" else "behind the prompt"
    axes.set_xlabel(f"joules {of_what}, % of full depth's")
    axes.set_ylabel(f"{label}: difference from full depth")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return as_svg(figure, f"frontier-{energy}-{summary.suite}-{summary.form}")


def depth_plot(summary: Summary, row: Row) -> str:
    """Plot at which depth the tokens of each kind were read."""
    counts: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
    for case in row.cases:
        for piece, depth in case.result.tokens:
            counts[kind_of(piece, summary.language)][depth] += 1
    kinds = [kind for kind in KINDS if counts[kind]]
    depths = sorted({depth for kind in kinds for depth in counts[kind]})
    figure, axes = new_figure(7.5, 0.9 + 0.5 * len(kinds))
    left = [0.0] * len(kinds)
    settings = summary.header["settings"]
    scale = [*settings["exits"], settings["layers"]]
    for depth in depths:
        shares = [100 * counts[kind][depth] / counts[kind].total() for kind in kinds]
        axes.barh(kinds, shares, left=left, color=depth_colour(depth, scale), label=f"{depth}")
        left = [before + share for before, share in zip(left, shares, strict=True)]
    for index, kind in enumerate(kinds):
        axes.annotate(f"{counts[kind].total():,}", (101, index), va="center", annotation_clip=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"% of tokens by the layer they were read at, of {settings['layers']} ({row.name})")
    axes.legend(ncols=len(depths), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, labelcolor=INK)
    return as_svg(figure, f"depth-{summary.suite}-{summary.form}")


def prompt_plot(summary: Summary, rows: Sequence[Row]) -> str:
    """Plot joules for a completion by the length of its prompt: prefill below, decode above."""
    figure, axes = new_figure(7.5, 3.8)
    bounds = (0, *PROMPT_BINS, 1 << 30)
    labels, width = [], 0.8 / max(len(rows), 1)
    for place, (low, high) in enumerate(itertools.pairwise(bounds)):
        count = sum(low < case.example.prompt_tokens <= high for case in rows[0].cases)
        labels.append(f"{low + 1}-{high}\n{count}" if high < bounds[-1] else f"over {low}\n{count}")
        for index, row in enumerate(rows):
            prefill, decode = _mean_joules([case for case in row.cases if low < case.example.prompt_tokens <= high])
            at = place + (index - (len(rows) - 1) / 2) * width
            colour = COLOURS.get(family(row.name), INK)
            named = {"label": row.name} if place == 0 else {}
            axes.bar(at, prefill, width * 0.9, color=colour, **named)
            axes.bar(at, decode, width * 0.9, bottom=prefill, color=colour, alpha=0.45, hatch="///", edgecolor=INK)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlabel("tokens of the prompt; below: examples")
    axes.set_ylabel("joules: prefill, and decode hatched")
    axes.legend(frameon=False, labelcolor=INK)
    return as_svg(figure, f"prompt-{summary.suite}-{summary.form}")


def paper_plot(summaries: Sequence[Summary], paper: Paper) -> str:
    """Plot changes of ROUGE-L over changes of energy: the paper's points, and ours against both baselines."""
    figure, axes = new_figure(7.5, 4.6)
    for model in dict.fromkeys(point.model for point in paper.points):
        for language, style in (("java", "-"), ("python", "--")):
            points = [point for point in paper.of(language) if point.model == model]
            colour = "#9ca3af" if model.startswith("OPT") else "#64748b"
            axes.plot(
                [point.energy for point in points],
                [point.rouge_l for point in points],
                style,
                marker=".",
                color=colour,
                label=f"paper: {model}, {language}, no K/V cache",
            )
    for summary in summaries:
        marker = "o" if summary.language == "java" else "^"
        for name, colour in PAPER_COLOURS.items():
            row = summary.row(name)
            change = None if row is None else relative(summary, row, "rouge_l").value
            if row is None or change is None:
                continue
            for figure_name, filled, against in (
                ("saved", True, "K/V cache in both"),
                ("saved_uncached", False, "no K/V cache in both"),
            ):
                saved = row.figures[figure_name].value
                if saved is not None:
                    axes.plot(
                        -saved,
                        change,
                        marker,
                        markersize=9,
                        color=colour,
                        markerfacecolor=colour if filled else "none",
                        label=f"ours: {name}, {summary.suite}, {against}",
                    )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("energy, % change from full depth")
    axes.set_ylabel("ROUGE-L, % change from full depth")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return as_svg(figure, "paper")


def relative(summary: Summary, row: Row, metric: str) -> Estimate:
    """Return by how many percent a figure differs from full depth's."""
    full = summary.row(FULL)
    own = row.figures.get(metric)
    if full is None or own is None or not full.figures[metric].value or own.value is None:
        return Estimate(None, None, None, summary.bootstrap.unknown())
    whole = full.figures[metric]
    assert whole.value is not None
    samples = 100 * (own.samples / whole.samples - 1)
    return summary.bootstrap.around(100 * (own.value / whole.value - 1), samples)


def depth_colour(depth: int, depths: Sequence[int]) -> str:
    """Return the colour of a depth among those that a token can be read at, from green to red for all layers."""
    rank = sum(each < depth for each in depths) / max(len(depths) - 1, 1)
    place = min(rank, 1.0) * (len(DEPTH_COLOURS) - 1)
    index = min(int(place), len(DEPTH_COLOURS) - 2)
    low, high = (bytes.fromhex(colour[1:]) for colour in DEPTH_COLOURS[index : index + 2])
    return "#" + bytes(round(a + (b - a) * (place - index)) for a, b in zip(low, high, strict=True)).hex()


def _value(estimates: Mapping[str, Estimate], name: str) -> float:
    value = estimates[name].value
    return float("nan") if value is None else value


def _bars(estimate: Estimate) -> list[list[float]] | None:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    return [[max(estimate.value - estimate.low, 0.0)], [max(estimate.high - estimate.value, 0.0)]]


def _mean_joules(cases: Sequence[Case]) -> tuple[float, float]:
    costs = [case.result.cost for case in cases if case.result.cost.joules is not None]
    if not costs:
        return 0.0, 0.0
    return (
        sum(cost.joules_prefill or 0.0 for cost in costs) / len(costs),
        sum(cost.joules_decode or 0.0 for cost in costs) / len(costs),
    )
