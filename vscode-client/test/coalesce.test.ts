import assert from "node:assert/strict";
import { test } from "node:test";
import { coalesce } from "../src/coalesce";
import { CrashBudget } from "../src/crashBudget";

function countedAction() {
  const gates: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const action = coalesce(async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => gates.push(resolve));
    running--;
  });
  return { action, gates, most: () => most };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("calls during a run become one more run, and all of them wait for it", async () => {
  const { action, gates, most } = countedAction();
  const first = action();
  await settle();
  const others = [action(), action(), action()];
  gates[0]();
  await first;
  await settle();
  assert.equal(gates.length, 2);
  gates[1]();
  await Promise.all(others);
  assert.equal(most(), 1);
});

test("a call between two runs does not run beside the second", async () => {
  const { action, gates, most } = countedAction();
  const first = action();
  await settle();
  const second = action();
  gates[0]();
  await first;
  const third = action();
  for (let open = 1; open < 3; open++) {
    await settle();
    gates[open]?.();
  }
  await Promise.all([second, third]);
  assert.equal(most(), 1);
});

test("calls before a run begins share it", async () => {
  const { action, gates } = countedAction();
  const calls = [action(), action()];
  await settle();
  gates[0]();
  await Promise.all(calls);
  assert.equal(gates.length, 1);
});

test("a run that fails does not keep the next from running", async () => {
  let runs = 0;
  const action = coalesce(() => (++runs === 1 ? Promise.reject(new Error("first")) : Promise.resolve()));
  await assert.rejects(action(), /first/);
  await action();
  assert.equal(runs, 2);
});

test("a server that crashes again and again is given up, one that crashes now and then is not", () => {
  let now = 0;
  const budget = new CrashBudget(3, 1000, () => now);
  assert.deepEqual([budget.spend(), budget.spend(), budget.spend(), budget.spend()], [true, true, true, false]);
  now = 2000;
  assert.equal(budget.spend(), true);
});
