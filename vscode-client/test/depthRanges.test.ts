import assert from "node:assert/strict";
import { test } from "node:test";
import { depthRanges, parseDepths, quarter } from "../src/depthRanges";

const DEPTHS = {
  layers: 30,
  tokens: [
    { length: 6, exitLayer: 6, guessed: false },
    { length: 2, exitLayer: 30, guessed: true },
  ],
};

test("each token gets its part of the document", () => {
  assert.deepEqual(depthRanges("    return x", 4, "return x", DEPTHS), [
    { start: 4, end: 10, exitLayer: 6, guessed: false },
    { start: 10, end: 12, exitLayer: 30, guessed: true },
  ]);
});

test("what came from the editor's menu stands before the tokens", () => {
  assert.deepEqual(depthRanges("my return x", 0, "my return x", DEPTHS)?.[0], {
    start: 3,
    end: 9,
    exitLayer: 6,
    guessed: false,
  });
});

test("a document may end its lines in two characters", () => {
  const depths = { layers: 2, tokens: [2, 2].map((length) => ({ length, exitLayer: 1, guessed: false })) };
  assert.deepEqual(
    depthRanges("a\r\nb\r\n", 0, "a\nb\n", depths)?.map(({ start, end }) => [start, end]),
    [
      [0, 3],
      [3, 6],
    ],
  );
});

test("text that has changed since has no depths", () => {
  assert.equal(depthRanges("    return y", 4, "return x", DEPTHS), undefined);
  assert.equal(depthRanges("", 4, "return x", DEPTHS), undefined);
});

test("depths fall into quarters of the layers", () => {
  assert.deepEqual(
    [1, 7, 8, 15, 16, 22, 23, 30].map((layer) => quarter(layer, 30)),
    [0, 0, 1, 1, 2, 2, 3, 3],
  );
  assert.equal(quarter(0, 0), 0);
});

test("an unknown completion is null, and nonsense is named", () => {
  assert.equal(parseDepths(null), null);
  assert.throws(() => parseDepths({ tokens: 1 }), /tokens is not a list/);
  assert.deepEqual(parseDepths({ layers: 30, tokens: DEPTHS.tokens }), DEPTHS);
});
