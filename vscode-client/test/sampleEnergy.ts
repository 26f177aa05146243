import type { Energy } from "../src/energy";

/** A `greencode/energy` payload as the server sends it. */
export const SAMPLE_ENERGY: Energy = {
  joules: 1.8,
  joulesFull: 3.07,
  source: "nvml",
  tokens: 18,
  guessedTokens: 7,
  meanExitLayer: 12.44,
  layers: 30,
  latencyMs: 143.2,
  cached: false,
  profile: "eco",
  model: "smollm2-135m",
  today: {
    wattHours: 0.42,
    savedWattHours: 0.31,
    completions: 117,
    gramsCo2e: 0.2,
    gridFactor: { name: "world", gramsPerKwh: 475 },
  },
};
