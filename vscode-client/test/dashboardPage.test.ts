import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDashboard } from "../src/dashboardData";
import { dashboardPage, PAGE_COMMANDS } from "../src/dashboardPage";

const PAYLOAD = {
  gridFactor: { name: "world", gramsPerKwh: 475 },
  days: [
    { day: "2026-05-03", completions: 4, wattHours: 0.5, savedWattHours: 0.25, gramsCo2e: 0.2375, sources: ["rapl"] },
    { day: "2026-05-04", completions: 2, wattHours: null, savedWattHours: null, gramsCo2e: null, sources: ["unknown"] },
  ],
  week: {
    computed: 6,
    shown: 4,
    accepted: 1,
    latencyMs: { p50: 120.4, p90: 180, p99: 240 },
    layers: 30,
    depths: [
      { layer: 12, completions: 3 },
      { layer: 30, completions: 3 },
    ],
    last: [
      { joules: 1, joulesFull: 2 },
      { joules: 1.2, joulesFull: 2.4 },
      { joules: null, joulesFull: null },
    ],
  },
};

const page = (payload: unknown = PAYLOAD) => dashboardPage(parseDashboard(payload), "abc123");

test("the page loads nothing and runs nothing", () => {
  assert.match(page(), /Content-Security-Policy" content="default-src 'none'; style-src 'nonce-abc123'"/);
  assert.doesNotMatch(page(), /<script|https?:|url\(|style="/);
  assert.match(page(), /<style nonce="abc123">/);
});

test("the page takes its colours from the theme", () => {
  const colours = page().match(/(?:color|fill|background): [^;}]+/g) ?? [];
  assert.ok(colours.length >= 5);
  assert.deepEqual(
    colours.filter((colour) => !/: var\(--vscode-/.test(colour)),
    [],
  );
});

test("a completion's joules stand beside those of full depth", () => {
  assert.match(page(), /<b>1\.2 J<\/b><span>J per completion, median/);
  assert.match(page(), /<b>2\.4 J -50%<\/b><span>at full depth/);
});

test("what is not known is a question mark and never 0", () => {
  assert.match(page(), /<b>\? Wh<\/b><span>used in 7 days/);
  assert.match(page(), /2026-05-04: \? Wh used/);
  const known = { ...PAYLOAD, days: PAYLOAD.days.slice(0, 1) };
  assert.match(page(known), /<b>0\.50 Wh<\/b><span>used in 7 days/);
  assert.match(page(known), /<b>0\.24 g<\/b><span>CO2e in 7 days, world/);
});

test("latencies, depths and the share that was taken are there", () => {
  assert.match(page(), /<b>25 %<\/b><span>of the shown were taken/);
  assert.match(page(), /<b>120 ms<\/b><span>to compute, median/);
  assert.match(page(), /<title>layer 12: 3 completions<\/title>/);
  assert.match(page(), /of 30\./);
});

test("the grid factor and the source of the joules are named", () => {
  assert.match(page(), /Source of the joules: rapl, unknown\. CO2e: energy times 475 g\/kWh \(world/);
});

test("names from elsewhere stay text", () => {
  const payload = { ...PAYLOAD, gridFactor: { name: "<img src=x>", gramsPerKwh: 1 } };
  assert.doesNotMatch(page(payload), /<img/);
});

test("without any completion the page says so", () => {
  const week = { computed: 0, shown: 0, accepted: 0, latencyMs: null, layers: 0, depths: [], last: [] };
  assert.match(page({ ...PAYLOAD, days: [], week }), /Nothing yet\./);
});

test("the links run only the page's commands", () => {
  const linked = [...page().matchAll(/command:([\w.]+)/g)].map((match) => match[1]);
  assert.deepEqual(linked, PAGE_COMMANDS);
});

test("a payload that makes no sense is named", () => {
  assert.throws(() => parseDashboard({ ...PAYLOAD, days: 3 }), /days is not a list/);
  assert.throws(() => parseDashboard(null), /greencode\.dashboard is not an object/);
});
