/** What the server's command `greencode.dashboard` answers. Null means unknown, and is shown so. */

import { asFields, BadPayload, numberOrNull, text, type Fields } from "./payload";

export interface Day {
  day: string;
  completions: number | null;
  wattHours: number | null;
  savedWattHours: number | null;
  gramsCo2e: number | null;
  sources: string[];
}

export interface Completion {
  joules: number | null;
  joulesFull: number | null;
}

export interface Week {
  computed: number;
  shown: number;
  accepted: number;
  latencyMs: { p50: number | null; p90: number | null; p99: number | null };
  layers: number;
  depths: { layer: number; completions: number }[];
  last: Completion[];
}

export interface DashboardData {
  gridFactor: { name: string; gramsPerKwh: number | null };
  days: Day[];
  week: Week;
}

/** Throws BadPayload, which names the field. */
export function parseDashboard(payload: unknown): DashboardData {
  const fields = asFields(payload, "greencode.dashboard");
  const gridFactor = asFields(fields.gridFactor, "gridFactor");
  return {
    gridFactor: { name: text(gridFactor, "name"), gramsPerKwh: numberOrNull(gridFactor, "gramsPerKwh") },
    days: list(fields, "days").map(parseDay),
    week: parseWeek(asFields(fields.week, "week")),
  };
}

function parseDay(fields: Fields): Day {
  return {
    day: text(fields, "day"),
    completions: numberOrNull(fields, "completions"),
    wattHours: numberOrNull(fields, "wattHours"),
    savedWattHours: numberOrNull(fields, "savedWattHours"),
    gramsCo2e: numberOrNull(fields, "gramsCo2e"),
    sources: Array.isArray(fields.sources) ? fields.sources.map(String) : [],
  };
}

function parseWeek(fields: Fields): Week {
  const latency = asFields(fields.latencyMs ?? {}, "latencyMs");
  return {
    computed: numberOrNull(fields, "computed") ?? 0,
    shown: numberOrNull(fields, "shown") ?? 0,
    accepted: numberOrNull(fields, "accepted") ?? 0,
    latencyMs: {
      p50: numberOrNull(latency, "p50"),
      p90: numberOrNull(latency, "p90"),
      p99: numberOrNull(latency, "p99"),
    },
    layers: numberOrNull(fields, "layers") ?? 0,
    depths: list(fields, "depths").map((depth) => ({
      layer: numberOrNull(depth, "layer") ?? 0,
      completions: numberOrNull(depth, "completions") ?? 0,
    })),
    last: list(fields, "last").map((completion) => ({
      joules: numberOrNull(completion, "joules"),
      joulesFull: numberOrNull(completion, "joulesFull"),
    })),
  };
}

function list(fields: Fields, key: string): Fields[] {
  const value = fields[key];
  if (!Array.isArray(value)) {
    throw new BadPayload(`${key} is not a list`);
  }
  return value.map((item: unknown) => asFields(item, key));
}
