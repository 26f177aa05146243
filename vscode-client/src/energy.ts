/** What a completion cost: the payload of the `greencode/energy` notification. */

import { asFields, flag, numberOrNull, text, type Fields } from "./payload";

export interface GridFactor {
  name: string;
  gramsPerKwh: number | null;
}

/** Null means unknown, and is shown so: never as zero. */
export interface Today {
  wattHours: number | null;
  savedWattHours: number | null;
  completions: number | null;
  gramsCo2e: number | null;
  gridFactor: GridFactor;
}

export interface Energy {
  joules: number | null;
  joulesFull: number | null;
  source: string;
  tokens: number | null;
  /** Tokens that were guessed and confirmed. */
  guessedTokens: number | null;
  meanExitLayer: number | null;
  layers: number | null;
  latencyMs: number | null;
  cached: boolean;
  profile: string;
  model: string;
  today: Today;
}

/** Throws BadPayload, which names the field. */
export function parseEnergy(payload: unknown): Energy {
  const fields = asFields(payload, "greencode/energy");
  return {
    joules: numberOrNull(fields, "joules"),
    joulesFull: numberOrNull(fields, "joulesFull"),
    source: text(fields, "source"),
    tokens: numberOrNull(fields, "tokens"),
    guessedTokens: numberOrNull(fields, "guessedTokens"),
    meanExitLayer: numberOrNull(fields, "meanExitLayer"),
    layers: numberOrNull(fields, "layers"),
    latencyMs: numberOrNull(fields, "latencyMs"),
    cached: flag(fields, "cached"),
    profile: text(fields, "profile"),
    model: text(fields, "model"),
    today: parseToday(fields.today),
  };
}

/** Throws BadPayload, which names the field. */
export function parseToday(payload: unknown): Today {
  const fields = asFields(payload ?? {}, "today");
  return {
    wattHours: numberOrNull(fields, "wattHours"),
    savedWattHours: numberOrNull(fields, "savedWattHours"),
    completions: numberOrNull(fields, "completions"),
    gramsCo2e: numberOrNull(fields, "gramsCo2e"),
    gridFactor: parseGridFactor(fields),
  };
}

function parseGridFactor({ gridFactor }: Fields): GridFactor {
  if (typeof gridFactor === "string") {
    return { name: gridFactor, gramsPerKwh: null };
  }
  if (typeof gridFactor === "number") {
    return { name: "", gramsPerKwh: gridFactor };
  }
  const fields = asFields(gridFactor ?? {}, "gridFactor");
  return { name: text(fields, "name"), gramsPerKwh: numberOrNull(fields, "gramsPerKwh") };
}

/** The share of the full-depth energy that was not spent, in whole percent; null when it is not known. */
export function savingPercent({ joules, joulesFull }: Energy): number | null {
  if (joules === null || joulesFull === null || joulesFull <= 0) {
    return null;
  }
  return Math.round((1 - joules / joulesFull) * 100);
}

export function isEstimate({ source }: Energy): boolean {
  return source === "estimate";
}
