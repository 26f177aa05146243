/** The Markdown tables about energy: in the meter's tooltip, and for the day. */

import { savingPercent, type Energy, type GridFactor, type Today } from "./energy";
import { formatQuantity, formatSaving } from "./quantity";

const SOURCES: Record<string, string> = {
  nvml: "measured by the GPU's energy counter (NVML)",
  rapl: "measured by the CPU's energy counter (RAPL)",
  estimate: "estimated, not measured",
  unknown: "not known on this machine",
};

export function sourceInWords({ source }: Energy): string {
  return SOURCES[source] ?? (source === "" ? "from a source that is not named" : `from ${source}`);
}

export function energyTables(energy: Energy): string {
  return [
    table("Last completion", lastCompletionRows(energy)),
    table("Today", todayRows(energy.today)),
    `Joules are ${escapeMarkdown(sourceInWords(energy))}.`,
  ].join("\n\n");
}

/** The document behind `greencode.showEnergy`. */
export function energyReport(today: Today): string {
  return `# greencode: energy today\n\n${table("Today", todayRows(today))}\n`;
}

/** Makes text from elsewhere stay text: no links, no tables, no HTML, no icons. */
export function escapeMarkdown(value: string): string {
  return value.replace(/[\\`*_{}[\]()<>#+!|$~-]/g, "\\$&").replace(/\s*\n\s*/g, " ");
}

function lastCompletionRows(energy: Energy): [string, string][] {
  const saving = formatSaving(savingPercent(energy));
  return [
    ["Energy", formatQuantity(energy.joules, "J") + (saving === "" ? "" : ` (${saving})`)],
    ["At full depth", formatQuantity(energy.joulesFull, "J")],
    ["Tokens", known(energy.tokens)],
    ["Guessed and confirmed", known(energy.guessedTokens)],
    ["Mean exit layer", `${known(energy.meanExitLayer, 1)} of ${known(energy.layers)}`],
    ["Time", `${known(energy.latencyMs)} ms`],
    ["Profile", escapeMarkdown(energy.profile)],
    ["Model", escapeMarkdown(energy.model)],
    ["From the cache", energy.cached ? "yes" : "no"],
  ];
}

function todayRows(today: Today): [string, string][] {
  return [
    ["Used", formatQuantity(today.wattHours, "Wh")],
    ["Saved", formatQuantity(today.savedWattHours, "Wh")],
    ["Completions", known(today.completions)],
    [`CO2e${factorInWords(today.gridFactor)}`, formatQuantity(today.gramsCo2e, "g")],
  ];
}

function factorInWords({ name, gramsPerKwh }: GridFactor): string {
  const parts = [escapeMarkdown(name), gramsPerKwh === null ? "" : `${gramsPerKwh} g/kWh`];
  const words = parts.filter((part) => part !== "").join(", ");
  return words === "" ? "" : ` (${words})`;
}

function table(title: string, rows: [string, string][]): string {
  return [`| ${title} | |`, "|:--|--:|", ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join("\n");
}

/** At most `digits` decimals, or `?`. */
function known(value: number | null, digits = 0): string {
  return value === null ? "?" : String(Number(value.toFixed(digits)));
}
