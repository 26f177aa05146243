"""The page: figures, plots and examples of several runs in one HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from greencode_lsp.evaluation.metrics.bootstrap import Estimate
from greencode_lsp.evaluation.metrics.choice import WINDOW_FORMS
from greencode_lsp.evaluation.report.claims import Claim, claims, points
from greencode_lsp.evaluation.report.frontier import Advantage, advantages
from greencode_lsp.evaluation.report.paper import Paper, read_paper
from greencode_lsp.evaluation.report.plots import depth_colour, depth_plot, frontier_plot, paper_plot, prompt_plot
from greencode_lsp.evaluation.report.shown_cases import best_cases, subject, worst_cases
from greencode_lsp.evaluation.runs.records import Case
from greencode_lsp.evaluation.summary import Row, Summary

LABELS = {
    "exact_match": "exact match, %",
    "edit_similarity": "edit similarity, %",
    "codexglue_exact_match": "CodeXGLUE exact match, %",
    "codexglue_edit_similarity": "CodeXGLUE edit similarity, %",
    "first_line_acceptance": "first line accepted, %",
    "pass_at_1": "pass@1, %",
    "rouge_l": "ROUGE-L, %",
    "rouge_l_code": "ROUGE-L on code tokens, %",
    "bleu": "BLEU",
    "chrf": "chrF",
    "codebleu": "CodeBLEU",
    "codebleu_ngram": "CodeBLEU: n-grams",
    "codebleu_weighted_ngram": "CodeBLEU: weighted n-grams",
    "codebleu_syntax": "CodeBLEU: syntax",
    "codebleu_dataflow": "CodeBLEU: data flow",
    "same_as_full": "same text as full, %",
    "next_token_accuracy": "next token right, %",
    "mean_exit_layer": "mean layer of exit",
    "guessed": "tokens that were guessed and confirmed, %",
    "forced_exit_layer": "the same, on the true text",
    "new_tokens": "tokens of a completion",
    "joules": "J for a completion",
    "joules_prefill": "J in prefill",
    "joules_decode": "J in decode",
    "counted_joules": "J counted by the meter",
    "saved": "saved, same text, %",
    "saved_decode": "saved in decode, %",
    "saved_uncached": "saved without K/V cache, %",
    "joules_per_accepted": "J for an accepted line",
    "tokens_per_s": "tokens/s in decode",
    "ms": "ms for a completion",
}

QUALITY = ("edit_similarity", "edit similarity, %")
WINDOW_QUALITY = ("rouge_l", "ROUGE-L, %")

COMPARED = ("full", "exact", "balanced", "eco")


def render(summaries: Sequence[Summary], examples: bool = True) -> str:
    """Return the page of some runs; without `examples` it quotes nothing of the data sets."""
    paper = read_paper()
    style = (files("greencode_lsp.evaluation.report") / "page.css").read_text(encoding="utf-8")
    windows = [summary for summary in summaries if summary.form in WINDOW_FORMS]
    parts = [_section(summary, examples) for summary in summaries]
    if windows:
        parts.append(_paper_section(windows, paper))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<title>greencode: what early exit is worth</title>"
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f"<style>{style}</style></head><body><main><h1>What early exit is worth</h1>{_contents(summaries)}"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _contents(summaries: Sequence[Summary]) -> str:
    links = "".join(
        f'<li><a href="#{_anchor(summary)}">{escape(summary.suite)}, {escape(summary.form)}</a></li>'
        for summary in summaries
    )
    return (
        "<p>The same places in real code, completed by every profile and control. All intervals are 95 % bootstrap "
        "intervals over repositories (problems in infilling, rows where no repository is known); differences are "
        f"paired.</p><ul>{links}</ul>"
    )


def _section(summary: Summary, examples: bool) -> str:
    quality, label = WINDOW_QUALITY if summary.form in WINDOW_FORMS else QUALITY
    shown = subject(summary)
    parts = [
        f'<section id="{_anchor(summary)}"><h2>{escape(summary.suite)}, {escape(summary.form)}</h2>',
        _about(summary),
        "<h3>Quality and energy</h3>",
        _figure(
            frontier_plot(summary, quality, label),
            "A prompt that nothing is known of. Above and to the left is better. Grey: fixed exits, joined. Hollow: at "
            "the depth of eco.",
        ),
        _figure(
            frontier_plot(summary, quality, label, "joules_decode"),
            "As while typing: the prompt is known, and only what comes behind it is counted.",
        ),
        _advantages(advantages(summary, quality), label),
    ]
    if shown is not None:
        parts += ["<h3>Where tokens are read</h3>", _figure(depth_plot(summary, shown), "Right: tokens of that kind.")]
    compared = [row for name in COMPARED if (row := summary.row(name)) is not None]
    parts += [
        "<h3>Energy by length of the prompt</h3>",
        _figure(
            prompt_plot(summary, compared),
            "Prefill is the prompt but its last token, in the layers that some token of the text asked for.",
        ),
    ]
    if shown is not None and examples:
        parts += [
            f"<h3>{escape(shown.name)} at work</h3>",
            _cases("Right, and read at the smallest mean depth", best_cases(shown), summary),
            _cases("Furthest behind full depth", worst_cases(shown), summary),
        ]
    return "".join([*parts, "<h3>All figures</h3>", _table(summary), "</section>"])


def _about(summary: Summary) -> str:
    settings, machine = summary.header["settings"], summary.header["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    facts = [
        f"{summary.examples} examples of {summary.bootstrap.clusters} clusters, at most {settings['cap']} rows of each",
        f"examples that lack an answer and are not counted: {summary.incomplete}",
        f"model {summary.model}, {settings['layers']} layers, exits {settings['exits']}; {settings['runner']}",
        f"data: {settings['data']}",
        f"rows left out: {sum(summary.header['skipped'].values())} {_causes(summary.header['skipped'])}",
        f"prompts cut to fit: {summary.header['prompts_cut']}",
        f"energy from: {summary.header['energy']}",
        f"{machine['processor']}, {machine['device']}, {machine['cores']} cores, {machine['threads']} threads; "
        f"{versions}; {machine['date']}",
        *(f"failed: {name} on {count} examples" for name, count in summary.failures.items()),
        *(f"left out: {line}" for line in [*summary.header["left_out"], *summary.missing]),
    ]
    if summary.header.get("execution"):
        facts.append(f"programs run with {summary.header['execution']}")
    return "<ul class=facts>" + "".join(f"<li>{escape(fact)}</li>" for fact in facts) + "</ul>"


def _causes(causes: dict[str, int]) -> str:
    return f"({', '.join(f'{count} x {cause}' for cause, count in causes.items())})" if causes else ""


def _advantages(found: Sequence[Advantage], label: str) -> str:
    if not found:
        return (
            "<p>No profile of this bundle exits, so there is nothing to compare with fixed, random or sure exits.</p>"
        )
    rows = "".join(
        f"<tr><td>{escape(each.profile)}</td><td>{escape(each.control)}</td><td>{points(each.quality)}</td>"
        f"<td>{points(each.joules).replace(' points', ' J')}</td><td>{each.verdict}</td></tr>"
        for each in found
    )
    return (
        f"<table><thead><tr><th>profile</th><th>beside</th><th>{escape(label)}: higher by</th><th>energy: lower by</th>"
        f"<th>so it is</th></tr></thead><tbody>{rows}</tbody></table><p>Random and confidence exits are set to the "
        "profile's mean depth. Beside mixed fixed exits, quality is compared at the profile's joules and joules at its "
        "quality; ? where no mixture reaches that.</p>"
    )


def _cases(title: str, cases: Sequence[Case], summary: Summary) -> str:
    if not cases:
        return f"<p>{escape(title)}: none.</p>"
    depths = [*summary.header["settings"]["exits"], summary.header["settings"]["layers"]]
    blocks = "".join(_case(case, depths) for case in cases)
    legend = "".join(f'<span class=token style="--depth:{depth_colour(each, depths)}">{each}</span>' for each in depths)
    return f"<h4>{escape(title)}</h4><p>layer: {legend}</p>{blocks}"


def _case(case: Case, depths: Sequence[int]) -> str:
    tokens = "".join(
        f'<span class=token title="layer {depth}" style="--depth:{depth_colour(depth, depths)}">{escape(piece)}</span>'
        for piece, depth in _visible(case)
    )
    row = f"row {case.example.row}"
    where = row if case.example.cluster == row else f"{case.example.cluster}, {row}"
    full = "" if case.full is None else f"<div><b>full</b> {escape(case.full.text.strip())}</div>"
    return (
        f"<div class=case><small>{escape(where)}</small>"
        f"<pre><i>{escape(case.example.tail)}</i>{tokens}</pre>"
        f"<div><b>came</b> {escape(case.example.reference.strip())}</div>{full}</div>"
    )


def _visible(case: Case) -> Iterable[tuple[str, int]]:
    """Yield the pieces of a text without what stands behind its end."""
    room = len(case.result.text)
    for piece, depth in case.result.tokens:
        if room <= 0:
            return
        yield piece[:room], depth
        room -= len(piece)


def _table(summary: Summary) -> str:
    head = "".join(f'<th title="{escape(row.detail)}">{escape(row.name)}</th>' for row in summary.rows)
    body = "".join(
        f"<tr><td>{escape(LABELS.get(name, name))}</td>{''.join(_cell(row, name) for row in summary.rows)}</tr>"
        for name in summary.metrics
    )
    details = "".join(f"<li><b>{escape(row.name)}</b>: {escape(row.detail)}</li>" for row in summary.rows)
    return (
        f"<div class=wide><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<p>Small: the 95 % interval; below it the paired difference from full.</p><ul class=facts>{details}</ul>"
    )


def _cell(row: Row, name: str) -> str:
    figure = row.figures[name]
    if figure.value is None:
        return "<td>?</td>"
    difference = row.differences.get(name)
    against = "" if row.name == "full" or difference is None else f"<small>{_interval(difference, signed=True)}</small>"
    return f"<td>{number(figure.value)}<small>{_interval(figure)}</small>{against}</td>"


def _interval(estimate: Estimate, signed: bool = False) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    if signed:
        return f"Δ {estimate.value:+.1f} [{estimate.low:+.1f}, {estimate.high:+.1f}]"
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


def number(value: float) -> str:
    """Write a figure with three digits or so."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _paper_section(summaries: Sequence[Summary], paper: Paper) -> str:
    tables = "".join(
        f"<h3>{escape(summary.suite)}, {escape(summary.form)}</h3>{_claims(claims(summary, paper))}"
        for summary in summaries
    )
    plot = _figure(paper_plot(summaries, paper), "Left and up is better. Other models, other machines: compare shapes.")
    return (
        f"<section id=paper><h2>Beside the paper</h2><p>{escape(paper.title)}. {escape(paper.protocol)}. "
        f"Source: {escape(paper.source)}.</p><p><b>The baselines differ.</b> The paper's: {escape(paper.baseline)} "
        "Ours: full depth with K/V cache, calibrated on this machine. Hollow points and the column “as the paper” put "
        "our texts and depths into the paper's way of running, where each new token runs the whole text again.</p>"
        f"{plot}{tables}</section>"
    )


def _claims(found: Sequence[Claim]) -> str:
    rows = "".join(
        f"<tr><td>{escape(each.claim)}</td><td>{escape(each.paper)}</td><td>{escape(each.as_paper)}</td>"
        f"<td>{escape(each.cached)}</td></tr>"
        for each in found
    )
    return (
        "<table class=claims><thead><tr><th>claim</th><th>paper, both without K/V cache</th><th>ours, as the paper</th>"
        f"<th>ours, both with K/V cache</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _anchor(summary: Summary) -> str:
    return f"{summary.suite}-{summary.form}"
