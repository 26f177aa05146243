import assert from "node:assert/strict";
import { test } from "node:test";
import { meterText, meterView, type MeterState } from "../src/meterView";
import { formatQuantity } from "../src/quantity";
import type { ServerStatus } from "../src/status";
import { SAMPLE_ENERGY } from "./sampleEnergy";

const NORMAL: ServerStatus = { kind: "normal", busy: false, message: "" };
const RUNNING: MeterState = { lifecycle: { phase: "running" }, status: NORMAL, energy: SAMPLE_ENERGY };

test("the meter shows joules and the saving against full depth", () => {
  assert.equal(meterView(RUNNING).text, "$(zap) 1.8 J · -41%");
});

test("an unknown energy is a question mark without a saving", () => {
  assert.equal(meterText({ ...SAMPLE_ENERGY, joules: null, source: "estimate" }), "? J");
});

test("an estimate carries a tilde", () => {
  assert.equal(meterText({ ...SAMPLE_ENERGY, source: "estimate" }), "~1.8 J · -41%");
});

test("a saving that rounds to nothing is not shown, and a loss has a plus", () => {
  assert.equal(meterText({ ...SAMPLE_ENERGY, joulesFull: 1.805 }), "1.8 J");
  assert.equal(meterText({ ...SAMPLE_ENERGY, joulesFull: 1.5 }), "1.8 J · +20%");
  assert.equal(meterText({ ...SAMPLE_ENERGY, joulesFull: null }), "1.8 J");
  assert.equal(meterText({ ...SAMPLE_ENERGY, joulesFull: 0 }), "1.8 J");
});

test("quantities have two digits, and thousandths of the unit below a tenth", () => {
  const joules = (value: number) => formatQuantity(value, "J");
  assert.deepEqual([1.84, 12.3, 123.4, 0.1].map(joules), ["1.8 J", "12 J", "123 J", "0.10 J"]);
  assert.deepEqual([0.084, 0.0084, 0.00084, 0].map(joules), ["84 mJ", "8.4 mJ", "0.84 mJ", "0 J"]);
  assert.equal(formatQuantity(-0.02, "Wh"), "-20 mWh");
});

test("the tooltip tells depth, day, source and carbon factor", () => {
  const { tooltip } = meterView(RUNNING);
  for (const row of [
    "| Energy | 1.8 J (-41%) |",
    "| At full depth | 3.1 J |",
    "| Tokens | 18 |",
    "| Guessed and confirmed | 7 |",
    "| Mean exit layer | 12.4 of 30 |",
    "| Time | 143 ms |",
    "| Profile | eco |",
    "| Model | smollm2\\-135m |",
    "| From the cache | no |",
    "| Used | 0.42 Wh |",
    "| Saved | 0.31 Wh |",
    "| Completions | 117 |",
    "| CO2e (world, 475 g/kWh) | 0.20 g |",
    "Joules are measured by the GPU's energy counter \\(NVML\\).",
    "(command:greencode.runDoctor)",
  ]) {
    assert.ok(tooltip.includes(row), `${row} is not in\n${tooltip}`);
  }
});

test("text from the server cannot make links, tables or icons in the tooltip", () => {
  const status = { ...NORMAL, message: "[x](command:y) | $(zap)\n# <b>" };
  const { tooltip } = meterView({ ...RUNNING, status });
  assert.ok(tooltip.includes("\\[x\\]\\(command:y\\) \\| \\$\\(zap\\) \\# \\<b\\>"), tooltip);
});

test("every state of the server has its icon and colour", () => {
  const view = (change: Partial<MeterState>) => {
    const { text, background } = meterView({ ...RUNNING, energy: undefined, ...change });
    return [text, background];
  };
  assert.deepEqual(view({}), ["$(zap) greencode", undefined]);
  assert.deepEqual(view({ status: { ...NORMAL, busy: true } }), ["$(loading~spin) greencode", undefined]);
  assert.deepEqual(view({ status: { ...NORMAL, kind: "warning" } }), ["$(warning) greencode", "warning"]);
  assert.deepEqual(view({ status: { ...NORMAL, kind: "error" } }), ["$(error) greencode", "error"]);
  assert.deepEqual(view({ status: { ...NORMAL, kind: "inactive" } }), ["$(debug-pause) greencode", undefined]);
  assert.deepEqual(view({ lifecycle: { phase: "off" } }), ["$(circle-slash) greencode", undefined]);
  assert.deepEqual(view({ lifecycle: { phase: "starting" } }), ["$(loading~spin) greencode", undefined]);
  assert.deepEqual(view({ lifecycle: { phase: "failed", message: "no" } }), ["$(error) greencode", "error"]);
});

test("an error's message is the tooltip and is spoken", () => {
  const view = meterView({ ...RUNNING, status: { kind: "error", busy: false, message: "No weights" } });
  assert.ok(view.tooltip.includes("No weights"));
  assert.equal(view.accessibleLabel, "greencode: No weights");
});

test("a screen reader hears units and comparison in words", () => {
  assert.equal(
    meterView(RUNNING).accessibleLabel,
    "greencode: last completion 1.8 joules, 41 percent less than at full depth, " +
      "measured by the GPU's energy counter (NVML)",
  );
  const estimated = { ...SAMPLE_ENERGY, joules: 0.084, joulesFull: null, source: "estimate" };
  assert.equal(
    meterView({ ...RUNNING, energy: estimated }).accessibleLabel,
    "greencode: last completion 84 millijoules, estimated, not measured",
  );
});
