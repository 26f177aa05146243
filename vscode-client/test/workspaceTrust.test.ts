/** Every setting is classified by what a folder from a stranger could do with it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilities, contributes } from "../package.json";
import { ignoredMessage, RESTRICTED, restrictedIn, withoutTheFolders } from "../src/workspaceTrust";

const properties: Record<string, { type: unknown; scope?: string }> = contributes.configuration.properties;

/** What a value can bring about. A new setting belongs into one of these lists before the test passes. */
const CLASSES = {
  /** A program or a model is chosen, so that code runs or something is downloaded or read. */
  chooses: ["path", "interpreter", "model"],
  /** What the machine can bear, and what it keeps. */
  machine: ["device", "threads", "ledgerDays"],
  /** What starts though the user said no, and which files the model sees. */
  consent: ["enabled", "otherFiles", "exclude"],
  /** When and how long suggestions are, and how what they took is told. */
  harmless: [
    "automatic",
    "profile",
    "maxQualityLoss",
    "maxTokens",
    "certainty",
    "multiline",
    "alternatives",
    "debounceMs",
    "languages",
    "pauseOnBattery",
    "gridFactor",
  ],
};

const full = (names: string[]) => names.map((name) => `greencode.${name}`).sort();

test("every setting is in exactly one class", () => {
  assert.deepEqual(full(Object.values(CLASSES).flat()), Object.keys(properties).sort());
});

test("all but harmless settings are restricted in an untrusted workspace", () => {
  const { chooses, machine, consent } = CLASSES;
  assert.deepEqual([...RESTRICTED].sort(), full([...chooses, ...machine, ...consent]));
  assert.equal(capabilities.untrustedWorkspaces.supported, "limited");
});

test("what chooses a program or a model, and what the machine bears, has a machine's scope", () => {
  for (const key of full([...CLASSES.chooses, ...CLASSES.machine])) {
    assert.match(properties[key].scope ?? "none", /^machine(-overridable)?$/, key);
  }
});

test("of an untrusted folder's values only the harmless ones are used, however they came through", () => {
  const merged = { model: "/evil", path: "/evil", maxTokens: 7, endpoint: "http://evil", completionMenu: true };
  const inspect = (key: string) => (key === "greencode.path" ? { globalValue: "/mine" } : { defaultValue: "default" });
  assert.deepEqual(withoutTheFolders("greencode", merged, inspect), {
    model: "default",
    path: "/mine",
    maxTokens: 7,
    endpoint: "default",
    completionMenu: "default",
  });
  assert.equal(withoutTheFolders("greencode", { endpoint: "http://evil" }, () => undefined).endpoint, undefined);
});

test("restricted settings are found in settings files, with comments and in both ways of writing them", () => {
  const found = (text: string) => restrictedIn("greencode", text);
  assert.deepEqual(found('{ // a comment\n "greencode.model": "x", "greencode.maxTokens": 3, }'), ["greencode.model"]);
  assert.deepEqual(found('{"greencode": {"path": "x", "profile": "eco"}}'), ["greencode.path"]);
  assert.deepEqual(found('{"folders": [], "settings": {"greencode.exclude": []}}'), ["greencode.exclude"]);
  for (const text of ["", "[]", "null", "{", '{"greencode": 3, "settings": null}', "\u0000"]) {
    assert.deepEqual(found(text), [], text);
  }
});

test("one line says what is not used and how to allow it", () => {
  assert.match(ignoredMessage(["greencode.model"]), /sets for greencode\.model is not used.*To use.*trust it\.$/);
  assert.match(ignoredMessage(["a", "b", "c"]), /sets for a, b and c is/);
});
