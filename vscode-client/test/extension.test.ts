/** The bundled extension with the real language client and the real server, in a mock of the editor. */

import assert from "node:assert/strict";
import { accessSync, constants, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { editor, installVscodeMock } from "./vscodeMock";

interface Extension {
  activate(context: { subscriptions: { dispose(): unknown }[]; workspaceState: object }): void;
  deactivate(): Promise<void> | undefined;
}

const SOURCE = "def fibonacci(n):\n    if n < 2:\n        return n\n    return ";
const END = new editor.Position(3, 11);
const NO_TOKEN = new editor.CancellationTokenSource().token;
const ENERGY = /^\$\(zap\) ~?(\?|\d[\d.]*) m?J/;

// A ledger of this test's own: the user's must neither be written to nor decide what is found.
process.env.GREENCODE_DATA = mkdtempSync(join(tmpdir(), "greencode-client-"));

installVscodeMock();
// eslint-disable-next-line @typescript-eslint/no-require-imports
const extension = require(resolve("dist/extension.js")) as Extension;

/** The first greencode-lsp in $GREENCODE_LSP, the project's environment, or the PATH. */
function findServer(): string | undefined {
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "greencode-lsp"));
  const places = [process.env.GREENCODE_LSP ?? "", resolve("../.venv/bin/greencode-lsp"), ...onPath];
  return places.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function serverPids(): number[] {
  return editor.log.flatMap((line) => /Server started: .*\(process (\d+)\)/.exec(line)?.[1] ?? []).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function completionsLogged(): number {
  return Number(/\| Completions \| (\d+) \|/.exec(editor.statusBar.tooltip?.value ?? "")?.[1] ?? 0);
}

const untilReady = () =>
  editor.until("the server is ready", () => editor.providers.size > 0 && editor.statusBar.text.startsWith("$(zap)"));

const server = findServer();

test("the language server is installed", () => {
  const cure = "run `pip install -e ..` or set GREENCODE_LSP";
  assert.ok(server, `No greencode-lsp in $GREENCODE_LSP, ../.venv/bin or on the PATH: ${cure}`);
});

describe("the extension with its server", { skip: server === undefined }, () => {
  before(async () => {
    Object.assign(editor.settings, { path: server, profile: "full", debounceMs: 0, maxTokens: 8, alternatives: 1 });
    extension.activate({ subscriptions: [], workspaceState: { get: (_key: string, unset: unknown) => unset } });
    await untilReady();
  });

  after(async () => {
    await extension.deactivate();
  });

  test("ghost text comes with a range and the command that counts its acceptance", async () => {
    const document = editor.open("/tmp/ghost.py", "python", SOURCE);
    const [item] = await editor.complete(document, END, NO_TOKEN);
    assert.ok(item, "the server suggested nothing");
    assert.ok(item.insertText.length > 0);
    assert.equal(item.range?.start.line, 3);
    assert.equal(item.command?.command, "greencode.didAccept");
    await editor.runCommand(item.command.command, ...(item.command.arguments ?? []));
  });

  test("the energy of a completion is in the status bar, and its day in the tooltip", async () => {
    const document = editor.open("/tmp/energy.py", "python", `import math\n\n${SOURCE}`);
    const before = completionsLogged();
    await editor.complete(document, new editor.Position(5, 11), NO_TOKEN);
    await editor.until("the meter counts", () => ENERGY.test(editor.statusBar.text) && completionsLogged() > before);
  });

  test("a cancelled request yields nothing, and the next one is answered", async () => {
    const document = editor.open("/tmp/cancel.py", "python", `import sys\n\n${SOURCE}`);
    const position = new editor.Position(5, 11);
    const source = new editor.CancellationTokenSource();
    const cancelled = editor.complete(document, position, source.token);
    source.cancel();
    assert.deepEqual(await cancelled, []);
    assert.ok((await editor.complete(document, position, NO_TOKEN)).length > 0);
  });

  test("the doctor's checks open as a document", async () => {
    await editor.runCommand("greencode.runDoctor");
    assert.match(editor.previews.get("/Doctor.md") ?? editor.errors.join(), /# greencode: doctor\n\n.*\n\n- ./);
  });

  test("today's energy opens as a document", async () => {
    await editor.runCommand("greencode.showEnergy");
    assert.match(editor.previews.get("/Energy.md") ?? editor.errors.join(), /\| Completions \| \d+ \|/);
  });

  test("the dashboard shows what was computed", async () => {
    await editor.runCommand("greencode.showDashboard");
    assert.match(editor.page || editor.errors.join(), /<h1>greencode: energy<\/h1>/);
    assert.match(editor.page, /<b>[1-9]\d*<\/b><span>completions computed/);
  });

  test("the energy record is saved as CSV", async () => {
    await editor.runCommand("greencode.exportEnergy");
    const [[path, csv]] = editor.saved;
    assert.match(path, /greencode-energy\.csv$/);
    assert.match(csv, /^completion_id,when,joules,.*\n.*,smollm2-135m,full,/);
  });

  test("text that was accepted is coloured by depth, until it is edited", async () => {
    const document = editor.open("/tmp/colour.py", "python", `import os\n\n${SOURCE}`);
    const position = new editor.Position(5, 11);
    const [item] = await editor.complete(document, position, NO_TOKEN);
    editor.active = document;
    editor.write(document, position, item.insertText);
    await editor.runCommand("greencode.didAccept", ...(item.command?.arguments ?? []));
    await editor.runCommand("greencode.colourByDepth");
    assert.ok((editor.colours.get("charts.red") ?? []).length > 0, editor.errors.join());
    assert.deepEqual(editor.colours.get("charts.green"), []);
    editor.write(document, new editor.Position(0, 0), "#");
    assert.deepEqual(editor.colours.get("charts.red"), []);
  });

  test("the profile is in the status bar, and a change acts on the next completion", async () => {
    assert.equal(editor.profile.text, "$(dashboard) full");
    editor.changeSetting("profile", "exact");
    assert.equal(editor.profile.text, "$(dashboard) exact");
    await editor.until("the server has changed", () => /profile exact/.test(editor.statusBar.tooltip?.value ?? ""));
    const document = editor.open("/tmp/profile.py", "python", `import re\n\n${SOURCE}`);
    await editor.complete(document, new editor.Position(5, 11), NO_TOKEN);
    await editor.until("its profile shows", () => /Profile \| exact/.test(editor.statusBar.tooltip?.value ?? ""));
    editor.changeSetting("profile", "full");
  });

  test("a pause shows in the status bar and ends with resume", async () => {
    await editor.runCommand("greencode.pause", 5);
    await editor.until("the meter says paused", () => editor.statusBar.text.startsWith("$(debug-pause)"));
    await editor.runCommand("greencode.resume");
    await untilReady();
  });

  test("turned off, no server runs and no provider is left to ask", async () => {
    editor.changeSetting("enabled", false);
    await editor.until("the meter says off", () => editor.statusBar.text.startsWith("$(circle-slash)"));
    assert.equal(editor.providers.size, 0);
    assert.deepEqual(serverPids().filter(isAlive), []);
    editor.changeSetting("enabled", true);
    await untilReady();
  });

  test("a server that is killed comes back", async () => {
    const started = serverPids();
    process.kill(started[started.length - 1], "SIGKILL");
    await editor.until("another server has started", () => serverPids().length > started.length);
    await untilReady();
  });

  test("a server that cannot be found is one message and an error in the status bar", async () => {
    const path = editor.settings.path;
    editor.changeSetting("path", "/no/such/greencode-lsp");
    await editor.until("the meter says error", () => editor.statusBar.text.startsWith("$(error)"));
    await editor.until("the user is told", () => editor.errors.length > 0);
    assert.equal(editor.errors.length, 1);
    assert.match(editor.errors[0], /greencode\.path.*\/no\/such\/greencode-lsp/);
    editor.changeSetting("path", path);
    await untilReady();
  });

  test("after deactivation no process is left", async () => {
    await extension.deactivate();
    assert.ok(serverPids().length > 0);
    assert.deepEqual(serverPids().filter(isAlive), []);
  });
});
