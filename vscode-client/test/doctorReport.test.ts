import assert from "node:assert/strict";
import { test } from "node:test";
import { doctorReport, parseChecks } from "../src/doctorReport";

test("a failing check says what helps", () => {
  const report = doctorReport(
    parseChecks({
      checks: [
        { name: "model", ok: true, detail: "smollm2-135m", fix: "" },
        { name: "RAPL", ok: false, detail: "not readable", fix: "add a udev rule" },
      ],
    }),
  );
  assert.equal(
    report,
    "# greencode: doctor\n\n1 of 2 checks need attention.\n\n" +
      "- ✓ **model**: smollm2\\-135m\n" +
      "- ✗ **RAPL**: not readable\n  - What helps: add a udev rule\n",
  );
});

test("an answer without checks is refused", () => {
  assert.throws(() => parseChecks({}), /checks is not a list/);
  assert.throws(() => parseChecks(null), /greencode.doctor is not an object/);
});
