/** A folder from a stranger in a real VS Code: it may not choose what runs, what is loaded or what is seen. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findRequirements } from "./requirements";
import { Workbench } from "./workbench";

const outside = mkdtempSync(join(tmpdir(), "greencode-stranger-"));
const STARTED = join(outside, "started");
const PROGRAM = join(outside, "program");
const MODEL = join(outside, "no-such-model");
writeFileSync(PROGRAM, `#!/bin/sh\ntouch '${STARTED}'\n`, { mode: 0o755 });

/** Written in both ways: the editor itself withholds only the values with the full key. */
const FOLDERS_SETTINGS = `{
  // a stranger's
  "greencode.model": ${JSON.stringify(MODEL)},
  "greencode.maxTokens": 3,
  "greencode": { "path": ${JSON.stringify(PROGRAM)}, "exclude": ["*"], "ledgerDays": 1 },
}`;
const FILES = { "stack.py": "class Stack:\n    def __init__(self", ".vscode/settings.json": FOLDERS_SETTINGS };
const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "extensions.autoUpdate": false,
  "greencode.profile": "full",
};
const IGNORED = /you have not trusted this folder/;

const requirements = findRequirements();
const skip = typeof requirements === "string" ? requirements : false;

describe("in a real VS Code, in a folder that is not trusted", { skip, timeout: 1_800_000 }, () => {
  let workbench: Workbench;

  before(async () => {
    assert.ok(typeof requirements !== "string");
    workbench = await Workbench.open(requirements, FILES, SETTINGS, false);
  });

  after(() => workbench?.close());

  const ghostText = async () => (await workbench.ghostText.allInnerTexts()).join("");

  test("one message names what is not used and how to allow it", async () => {
    await workbench.messages(IGNORED).first().waitFor();
    assert.equal(await workbench.messages(IGNORED).count(), 1);
    const text = await workbench.messages(IGNORED).innerText();
    for (const said of ["exclude, greencode.ledgerDays, greencode.model and greencode.path is not used", "trust it"]) {
      assert.ok(text.includes(said), text);
    }
    assert.ok(!text.includes("maxTokens"), text);
  });

  test("the user's own server and model complete, and the folder's program has not run", async () => {
    await workbench.untilReady();
    await workbench.openFile("stack.py");
    await workbench.press("Control+End");
    await workbench.type(")");
    await workbench.until("ghost text is drawn", ghostText, (text) => text !== "");
    await workbench.meter.hover();
    assert.match(await workbench.hover.innerText(), /smollm2-135m/);
    assert.equal(workbench.languageServers().length, 1);
    assert.ok(!existsSync(STARTED), "the program that the folder named has run");
    await workbench.page.mouse.move(400, 300);
  });

  test("it is not said again, neither by a restart nor when the folder is opened again", async () => {
    await workbench.runCommand("greencode: Restart");
    await workbench.untilReady();
    assert.equal(await workbench.messages(IGNORED).count(), 1);
    await workbench.page.reload();
    await workbench.untilReady();
    assert.equal(await workbench.messages(IGNORED).count(), 0);
  });

  test("once the folder is trusted, its values are used", async () => {
    await workbench.runCommand("Workspaces: Manage Workspace Trust");
    await workbench.page.getByRole("button", { name: "Trust", exact: true }).click();
    while (!existsSync(STARTED)) {
      await workbench.page.waitForTimeout(100);
    }
  });
});
