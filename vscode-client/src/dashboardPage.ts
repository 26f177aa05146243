/** The dashboard as one page of HTML: no script, no network, the colours of the editor's theme. */

import { barChart, escapeHtml, type Bar } from "./barChart";
import type { Completion, DashboardData, Day, Week } from "./dashboardData";
import { formatQuantity, formatSaving } from "./quantity";

/** The commands that a link in the page may run. */
export const PAGE_COMMANDS = ["greencode.showDashboard", "greencode.exportEnergy", "greencode.selectProfile"];

const STYLE = `
body { max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem; color: var(--vscode-foreground); line-height: 1.5; }
h1 { font-size: 1.4em; font-weight: 600; } h2 { font-size: 1.1em; font-weight: 600; margin: 2rem 0 .5rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; }
.tile { padding: .75rem; border-radius: 4px; background: var(--vscode-textBlockQuote-background);
  border: 1px solid var(--vscode-contrastBorder, transparent); }
.tile b { display: block; font-size: 1.5em; font-weight: 600; } .tile span, .none, footer, .legend {
  color: var(--vscode-descriptionForeground); font-size: .9em; }
svg { width: 100%; height: auto; } svg text { fill: var(--vscode-descriptionForeground); font-size: 11px; }
rect.used { fill: var(--vscode-charts-blue); } rect.saved { fill: var(--vscode-charts-green); fill-opacity: .45; }
.used-mark { color: var(--vscode-charts-blue); } .saved-mark { color: var(--vscode-charts-green); }
nav a { margin-right: 1.25rem; } footer { margin-top: 2rem; }
`;

/** `nonce` lets the page's own style through its content security policy, and nothing else. */
export function dashboardPage(data: DashboardData, nonce: string): string {
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>greencode</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<h1>greencode: energy</h1>
<nav>${[link("Refresh", 0), link("Export CSV…", 1), link("Profile…", 2)].join("")}</nav>
<h2>Today and this week</h2>
<div class="tiles">${energyTiles(data).map(tile).join("")}</div>
<h2>Energy by day, Wh</h2>
${LEGEND}
${barChart("Energy by day", data.days.map(dayBar))}
<h2>Energy of the last completions, J</h2>
${LEGEND}
${barChart("Energy of the last completions", data.week.last.map(completionBar))}
<h2>Depth of the week's completions</h2>
${barChart("Mean exit layer of completions", depthBars(data.week))}
<p class="legend">Completions by the layer their tokens were read at on average, of ${data.week.layers}.</p>
<h2>Use this week</h2>
<div class="tiles">${useTiles(data.week).map(tile).join("")}</div>
<footer>${escapeHtml(footnote(data))}</footer>
</body>
</html>
`;
}

const LEGEND = `<p class="legend"><span class="used-mark">■</span> used
  <span class="saved-mark">■</span> saved against full depth</p>`;

type Tile = [name: string, value: string];

function energyTiles({ days, week, gridFactor }: DashboardData): Tile[] {
  const today = days.at(-1)?.day === localDay(new Date()) ? days.at(-1) : undefined;
  const lastWeek = days.slice(-7);
  const [joules, full] = [median(week.last, "joules"), median(week.last, "joulesFull")];
  const saving = joules === null || full === null || full <= 0 ? null : Math.round((1 - joules / full) * 100);
  return [
    ["J per completion, median", formatQuantity(joules, "J")],
    ["at full depth", `${formatQuantity(full, "J")} ${formatSaving(saving)}`.trim()],
    ["used today", formatQuantity(today === undefined ? 0 : today.wattHours, "Wh")],
    ["used in 7 days", formatQuantity(sum(lastWeek, "wattHours"), "Wh")],
    ["saved in 7 days", formatQuantity(sum(lastWeek, "savedWattHours"), "Wh")],
    [`CO2e in 7 days, ${gridFactor.name}`, formatQuantity(sum(lastWeek, "gramsCo2e"), "g")],
  ];
}

function useTiles({ computed, shown, accepted, latencyMs }: Week): Tile[] {
  const milliseconds = (value: number | null) => (value === null ? "? ms" : `${value.toFixed(0)} ms`);
  return [
    ["completions computed", String(computed)],
    ["of the shown were taken", shown === 0 ? "–" : `${Math.round((accepted / shown) * 100)} %`],
    ["to compute, median", milliseconds(latencyMs.p50)],
    ["90 of 100 within", milliseconds(latencyMs.p90)],
    ["99 of 100 within", milliseconds(latencyMs.p99)],
  ];
}

function footnote({ days, gridFactor }: DashboardData): string {
  const sources = [...new Set(days.flatMap((day) => day.sources))].sort().join(", ") || "none yet";
  const grams = gridFactor.gramsPerKwh === null ? "?" : String(gridFactor.gramsPerKwh);
  return (
    `Source of the joules: ${sources}. CO2e: energy times ${grams} g/kWh (${gridFactor.name}, the setting ` +
    "greencode.gridFactor). All numbers are from a file on this computer and are sent nowhere."
  );
}

function dayBar({ day, wattHours, savedWattHours, completions }: Day): Bar {
  const used = formatQuantity(wattHours, "Wh");
  return {
    label: day.slice(5),
    title: `${day}: ${used} used, ${formatQuantity(savedWattHours, "Wh")} saved, ${completions ?? "?"} completions`,
    parts: stacked(wattHours, savedWattHours),
  };
}

function completionBar({ joules, joulesFull }: Completion): Bar {
  const saved = joules === null || joulesFull === null ? null : joulesFull - joules;
  return {
    label: "",
    title: `${formatQuantity(joules, "J")} used, ${formatQuantity(joulesFull, "J")} at full depth`,
    parts: stacked(joules, saved),
  };
}

function depthBars({ depths }: Week): Bar[] {
  return depths.map(({ layer, completions }) => ({
    label: String(layer),
    title: `layer ${layer}: ${completions} completions`,
    parts: [{ value: completions, kind: "used" }],
  }));
}

/** What is unknown has no height; a loss is no saving. */
function stacked(used: number | null, saved: number | null): Bar["parts"] {
  return [
    { value: used ?? 0, kind: "used" },
    { value: Math.max(saved ?? 0, 0), kind: "saved" },
  ];
}

function tile([name, value]: Tile): string {
  return `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span></div>`;
}

function link(label: string, command: number): string {
  return `<a href="command:${PAGE_COMMANDS[command]}">${escapeHtml(label)}</a>`;
}

/** Null as soon as one of them is unknown. */
function sum(days: Day[], field: "wattHours" | "savedWattHours" | "gramsCo2e"): number | null {
  return days.reduce<number | null>(
    (total, { [field]: value }) => (total === null || value === null ? null : total + value),
    0,
  );
}

function median(completions: Completion[], field: keyof Completion): number | null {
  const values = completions.map((completion) => completion[field]).filter((value) => value !== null);
  return values.length === 0 ? null : values.sort((one, other) => one - other)[Math.floor(values.length / 2)];
}

function localDay(date: Date): string {
  const part = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${part(date.getMonth() + 1)}-${part(date.getDate())}`;
}
