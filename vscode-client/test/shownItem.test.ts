import assert from "node:assert/strict";
import { test } from "node:test";
import { ShownItem, type WireItem } from "../src/shownItem";

const START = 100;

/** A suggestion at offset 100 of which `present` units stand before the cursor. */
function shown(insertText: string, present = 0): ShownItem {
  const position = { line: 3, character: 4 };
  const item: WireItem = { insertText, range: { start: position, end: position } };
  return new ShownItem(item, START, present);
}

const insert = (at: number, text: string) => ({ rangeOffset: START + at, rangeLength: 0, text });
const replace = (length: number, text: string) => ({ rangeOffset: START, rangeLength: length, text });

test("a word taken at the cursor is accepted up to its end", () => {
  assert.deepEqual(shown("fib(n - 1)").follow(insert(0, "fib(")), { kind: "accepted", length: 4, complete: false });
});

test("the next word counts from the start of the suggestion", () => {
  const item = shown("foo bar baz");
  item.follow(insert(0, "foo"));
  assert.deepEqual(item.follow(insert(3, " bar")), { kind: "accepted", length: 7, complete: false });
});

test("an edit that replaces from the start of the range is followed too", () => {
  assert.deepEqual(shown("return fib", 3).follow(replace(3, "return")), {
    kind: "accepted",
    length: 6,
    complete: false,
  });
});

test("an edit that replaces from before the item is followed from where the item begins", () => {
  assert.deepEqual(shown(" fib(n)").follow({ rangeOffset: START - 6, rangeLength: 6, text: "return fib" }), {
    kind: "accepted",
    length: 4,
    complete: false,
  });
});

test("lengths are UTF-16 units", () => {
  assert.deepEqual(shown("s = '🌿🌿'").follow(insert(0, "s = '🌿")), { kind: "accepted", length: 7, complete: false });
});

test("typing along is not an acceptance, and neither is Enter with its indentation", () => {
  const item = shown("if x:\n    return");
  for (const [at, text] of [..."if x:"].entries()) {
    assert.deepEqual(item.follow(insert(at, text)), { kind: "typed" });
  }
  assert.deepEqual(item.follow(insert(5, "\n    ")), { kind: "typed" });
  assert.deepEqual(item.follow(insert(10, "ret")), { kind: "accepted", length: 13, complete: false });
});

test("a document with Windows line ends compares as one without", () => {
  assert.deepEqual(shown("a()\nbb()\ncc()").follow(insert(0, "a()\r\nbb()")), {
    kind: "accepted",
    length: 8,
    complete: false,
  });
});

test("taking everything at once is left to the item's command", () => {
  assert.deepEqual(shown("return n").follow(insert(0, "return n")), { kind: "gone" });
  assert.deepEqual(shown("return n)", 3).follow(replace(5, "return n)")), { kind: "gone" });
});

test("the last of several words completes the acceptance", () => {
  const item = shown("foo bar");
  item.follow(insert(0, "foo"));
  assert.deepEqual(item.follow(insert(3, " bar")), { kind: "accepted", length: 7, complete: true });
});

test("anything else ends the suggestion", () => {
  assert.deepEqual(shown("foo bar").follow(insert(0, "fob")), { kind: "gone" });
  assert.deepEqual(shown("foo bar").follow(insert(-5, "foo")), { kind: "gone" });
  assert.deepEqual(shown("foo bar", 3).follow({ rangeOffset: START + 2, rangeLength: 1, text: "" }), { kind: "gone" });
});
