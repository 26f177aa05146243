/** The extension's own commands; what the server does itself is asked of the server. */

import type { LogOutputChannel } from "vscode";
import type { Client } from "./client";
import type { Dashboard } from "./dashboard";
import type { DepthColours } from "./depthColours";
import { doctorReport, parseChecks } from "./doctorReport";
import { INSTALL_STEPS, type MarkdownDocuments } from "./documents";
import { parseToday } from "./energy";
import { energyReport } from "./energyReport";
import type { Meter } from "./meter";
import { asFields } from "./payload";
import { PROFILES, readSettings, SECTION } from "./settings";
import { confirm, openSettings, pick, showError, writeSetting } from "./vscodeApi";

export type Commands = Record<string, () => Promise<void>>;

const PAUSES = [
  { label: "5 minutes", minutes: 5 },
  { label: "30 minutes", minutes: 30 },
  { label: "1 hour", minutes: 60 },
  { label: "8 hours", minutes: 480 },
];

/** What the commands act on. */
export interface Parts {
  client: Client;
  meter: Meter;
  documents: MarkdownDocuments;
  dashboard: Dashboard;
  depthColours: DepthColours;
  log: LogOutputChannel;
}

export function commands(parts: Parts): Commands {
  const { client, meter, documents, dashboard, depthColours, log } = parts;
  const own: Commands = {
    "greencode.toggle": () => writeSetting(`${SECTION}.enabled`, !readSettings().enabled),

    "greencode.selectProfile": async () => {
      const current = readSettings().profile;
      const items = Object.entries(PROFILES).map(([label, detail]) => ({
        label,
        detail,
        description: label === current ? "current" : "",
      }));
      const chosen = await pick(items, "greencode: profile");
      if (chosen !== undefined) {
        await writeSetting(`${SECTION}.profile`, chosen.label);
      }
    },

    "greencode.pauseFor": async () => {
      const chosen = await pick(PAUSES, "greencode: pause for");
      if (chosen !== undefined) {
        await client.execute("greencode.pause", chosen.minutes);
      }
    },

    "greencode.showEnergy": async () => {
      const { today } = asFields(await client.execute("greencode.stats"), "greencode.stats");
      await documents.show("Energy", energyReport(parseToday(today)));
    },

    "greencode.showDashboard": () => dashboard.show(),

    "greencode.exportEnergy": () => dashboard.exportCsv(),

    "greencode.colourByDepth": () => depthColours.toggle(),

    "greencode.resetEnergy": async () => {
      if (await confirm("Delete the record of the energy that completions took?", "Delete")) {
        await client.execute("greencode.resetStats");
      }
    },

    "greencode.runDoctor": async () => {
      await documents.show("Doctor", doctorReport(parseChecks(await client.execute("greencode.doctor"))));
    },

    "greencode.restart": () => client.restart(),

    "greencode.showLog": () => Promise.resolve(log.show()),

    "greencode.showInstallSteps": () => documents.show("Install", INSTALL_STEPS),

    "greencode.showMenu": async () => {
      const chosen = await pick(menu(client, meter, own), "greencode");
      await chosen?.run();
    },
  };
  return Object.fromEntries(Object.entries(own).map(([id, run]) => [id, () => orShowError(run, log)]));
}

function menu(client: Client, meter: Meter, own: Commands): { label: string; run: () => Promise<unknown> }[] {
  const { enabled, profile } = readSettings();
  const whileRunning = [
    { label: `$(dashboard) Profile: ${profile}`, run: own["greencode.selectProfile"] },
    meter.isPaused
      ? { label: "$(debug-start) Resume", run: () => client.execute("greencode.resume") }
      : { label: "$(debug-pause) Pause…", run: own["greencode.pauseFor"] },
    { label: "$(graph) Dashboard", run: own["greencode.showDashboard"] },
    { label: "$(pulse) Doctor", run: own["greencode.runDoctor"] },
  ];
  return [
    ...(meter.phase === "running" ? whileRunning : []),
    { label: `$(circle-slash) Turn ${enabled ? "off" : "on"}`, run: own["greencode.toggle"] },
    { label: "$(output) Show log", run: own["greencode.showLog"] },
    { label: "$(debug-restart) Restart", run: own["greencode.restart"] },
  ];
}

async function orShowError(run: () => Promise<void>, log: LogOutputChannel): Promise<void> {
  try {
    await run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log.error(message);
    await showError(`greencode: ${message}`);
  }
}

/** The one message when no server is found. */
export async function offerInstallation(message: string, documents: MarkdownDocuments): Promise<void> {
  const chosen = await showError(message, "Install steps", "Open settings");
  if (chosen === "Install steps") {
    await documents.show("Install", INSTALL_STEPS);
  } else if (chosen === "Open settings") {
    await openSettings("greencode.path");
  }
}
