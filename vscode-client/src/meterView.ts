/** What the status-bar item shows for a state, without touching the editor. */

import { isEstimate, savingPercent, type Energy } from "./energy";
import { energyTables, escapeMarkdown, sourceInWords } from "./energyReport";
import { formatQuantity, formatSaving } from "./quantity";
import type { Lifecycle, ServerStatus } from "./status";

export interface MeterState {
  lifecycle: Lifecycle;
  status: ServerStatus;
  energy: Energy | undefined;
}

export interface MeterView {
  text: string;
  /** Markdown with command links. */
  tooltip: string;
  background: "error" | "warning" | undefined;
  accessibleLabel: string;
}

const RUNNING_LINKS = {
  Profile: "greencode.selectProfile",
  Pause: "greencode.pauseFor",
  Dashboard: "greencode.showDashboard",
  Doctor: "greencode.runDoctor",
  Log: "greencode.showLog",
};
const OTHER_LINKS = {
  "Install steps": "greencode.showInstallSteps",
  Restart: "greencode.restart",
  Log: "greencode.showLog",
};

/** The commands a click in the tooltip may run. */
export const TOOLTIP_COMMANDS = [...Object.values(RUNNING_LINKS), ...Object.values(OTHER_LINKS)];

export function meterView({ lifecycle, status, energy }: MeterState): MeterView {
  switch (lifecycle.phase) {
    case "off":
      return simpleView("$(circle-slash) greencode", "Turned off: no server runs. Click to turn it on.");
    case "starting":
      return simpleView("$(loading~spin) greencode", "Starting the server.");
    case "failed":
      return { ...simpleView("$(error) greencode", lifecycle.message), background: "error" };
    case "running":
      return runningView(status, energy);
  }
}

function runningView(status: ServerStatus, energy: Energy | undefined): MeterView {
  if (status.kind === "error") {
    return {
      ...simpleView("$(error) greencode", status.message || "The server reports an error."),
      background: "error",
    };
  }
  const message = status.message || (status.kind === "inactive" ? "Paused." : "");
  const parts = [
    "**greencode**",
    escapeMarkdown(message),
    energy === undefined ? "No completion yet." : energyTables(energy),
    links(RUNNING_LINKS),
  ];
  return {
    text: `${icon(status)} ${energy === undefined ? "greencode" : meterText(energy)}`,
    tooltip: parts.filter((part) => part !== "").join("\n\n"),
    background: status.kind === "warning" ? "warning" : undefined,
    accessibleLabel: ["greencode", message, energy && spokenEnergy(energy)].filter(Boolean).join(": "),
  };
}

function icon({ kind, busy }: ServerStatus): string {
  if (kind === "inactive") {
    return "$(debug-pause)";
  }
  if (busy) {
    return "$(loading~spin)";
  }
  return kind === "warning" ? "$(warning)" : "$(zap)";
}

/** "~1.8 J · -41%": the tilde marks an estimate, and a saving that rounds to nothing is not shown. */
export function meterText(energy: Energy): string {
  const mark = energy.joules !== null && isEstimate(energy) ? "~" : "";
  const saving = formatSaving(savingPercent(energy));
  return `${mark}${formatQuantity(energy.joules, "J")}${saving === "" ? "" : ` · ${saving}`}`;
}

function spokenEnergy(energy: Energy): string {
  if (energy.joules === null) {
    return "energy of the last completion unknown";
  }
  const saving = savingPercent(energy);
  const compared =
    saving === null || saving === 0
      ? ""
      : `, ${Math.abs(saving)} percent ${saving > 0 ? "less" : "more"} than at full depth`;
  const joules = formatQuantity(energy.joules, "J").replace("mJ", "millijoules").replace("J", "joules");
  return `last completion ${joules}${compared}, ${sourceInWords(energy)}`;
}

function simpleView(text: string, message: string): MeterView {
  return {
    text,
    tooltip: `**greencode**\n\n${escapeMarkdown(message)}\n\n${links(OTHER_LINKS)}`,
    background: undefined,
    accessibleLabel: `greencode: ${message}`,
  };
}

function links(commands: Record<string, string>): string {
  return Object.entries(commands)
    .map(([label, command]) => `[${label}](command:${command})`)
    .join(" · ");
}
