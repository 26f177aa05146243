/** The settings of section `greencode` that the client itself reads; the server reads the others. */

import type { ConfigurationChangeEvent } from "vscode";
import { readSection } from "./vscodeApi";

export const SECTION = "greencode";

export const PROFILES = {
  auto: "The best that the model offers; eco on battery where it can",
  eco: "Fewest joules within the allowed quality loss",
  balanced: "Early exits within the allowed quality loss",
  exact: "Guesses and exits draft, all layers check: the same text as full",
  full: "All layers for every token",
} as const;

export type Profile = keyof typeof PROFILES;

export interface Settings {
  enabled: boolean;
  path: string;
  interpreter: string;
  languages: string[];
  profile: string;
}

/** What a running server cannot take over. */
const RESTARTING: (keyof Settings)[] = ["enabled", "path", "interpreter", "languages"];

export function readSettings(): Settings {
  const section = readSection(SECTION);
  return {
    enabled: section.enabled !== false,
    path: asText(section.path),
    interpreter: asText(section.interpreter),
    languages: Array.isArray(section.languages) ? section.languages.filter((name) => typeof name === "string") : [],
    profile: asText(section.profile) || "auto",
  };
}

export function needsRestart(event: Pick<ConfigurationChangeEvent, "affectsConfiguration">): boolean {
  return RESTARTING.some((key) => event.affectsConfiguration(`${SECTION}.${key}`));
}

function asText(value: unknown): string {
  return typeof value === "string" ? value.trim() : "";
}
