import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEnergy, savingPercent } from "../src/energy";
import { parseStatus } from "../src/status";
import { SAMPLE_ENERGY } from "./sampleEnergy";

test("the payload of the wire contract is read field by field", () => {
  const payload = { completionId: "c1", uri: "file:///a.py", ...SAMPLE_ENERGY };
  assert.deepEqual(parseEnergy(JSON.parse(JSON.stringify(payload))), SAMPLE_ENERGY);
});

test("what the server does not know stays null, and is never zero", () => {
  const energy = parseEnergy({ joules: null, source: "unknown" });
  assert.equal(energy.joules, null);
  assert.equal(energy.tokens, null);
  assert.equal(energy.today.wattHours, null);
  assert.equal(savingPercent(energy), null);
});

test("a grid factor may be an object, a name or a number", () => {
  const factor = (gridFactor: unknown) => parseEnergy({ today: { gridFactor } }).today.gridFactor;
  assert.deepEqual(factor({ name: "FRA", gramsPerKwh: 56 }), { name: "FRA", gramsPerKwh: 56 });
  assert.deepEqual(factor("FRA"), { name: "FRA", gramsPerKwh: null });
  assert.deepEqual(factor(56), { name: "", gramsPerKwh: 56 });
});

test("a payload of the wrong shape is refused by the name of the field", () => {
  assert.throws(() => parseEnergy(null), /greencode\/energy is not an object/);
  assert.throws(() => parseEnergy({ joules: "1.8" }), /joules is not a number/);
  assert.throws(() => parseEnergy({ joules: NaN }), /joules is not a number/);
  assert.throws(() => parseEnergy({ model: 3 }), /model is not a string/);
  assert.throws(() => parseEnergy({ today: [] }), /today is not an object/);
});

test("a status has one of the four kinds", () => {
  assert.deepEqual(parseStatus({ kind: "warning", busy: true, message: "hot" }), {
    kind: "warning",
    busy: true,
    message: "hot",
  });
  assert.deepEqual(parseStatus({ kind: "normal" }), { kind: "normal", busy: false, message: "" });
  assert.throws(() => parseStatus({ kind: "Normal" }), /kind is none of normal, warning, error, inactive/);
  assert.throws(() => parseStatus("normal"), /greencode\/status is not an object/);
});
