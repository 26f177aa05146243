/** The packaged extension in a real VS Code with the real server and the real default model, as a person uses it. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findRequirements } from "./requirements";
import { Workbench } from "./workbench";

const STACK = `class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def is_empty(self):
        """Say whether there are no items."""
        return
`;
/** Before what will be typed into them. The second one has the line ends of Windows. */
const ENVIRONMENT = `import os
host = os.environ.get('HOST', 'localhost')
port = os.environ.get`;
const TABS = "class A:\r\n\tdef __init__(self):\r\n\t\tself.x = 1\r\n\r\n\tdef get(self)";
const SUGGESTED = "len(self.items) == 0";
const FILES = { "stack.py": STACK, "other.py": STACK, "environment.py": ENVIRONMENT, "tabs.py": TABS };
const JOULES = /~?\d[\d.]* m?J/;

const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Light Modern",
  "workbench.tips.enabled": false,
  "editor.minimap.enabled": false,
  "editor.wordBasedSuggestions": "off",
  "extensions.autoUpdate": false,
  "files.autoSave": "afterDelay",
  "files.autoSaveDelay": 100,
  "greencode.profile": "full",
  "greencode.maxTokens": 16,
};

/** With GREENCODE_PICTURES set to a folder, what the tests see is kept there. */
const PICTURES = process.env.GREENCODE_PICTURES;

const requirements = findRequirements();
const skip = typeof requirements === "string" ? requirements : false;

describe("in a real VS Code", { skip, timeout: 1_800_000 }, () => {
  let workbench: Workbench;

  before(async () => {
    assert.ok(typeof requirements !== "string");
    workbench = await Workbench.open(requirements, FILES, SETTINGS);
    await workbench.untilReady();
    await workbench.openFile("stack.py");
  });

  after(() => workbench?.close());

  /** Goes to the end of the last line of code and takes away what was added there. */
  const clearLine = async () => {
    await workbench.focusEditor();
    await workbench.press("Escape", "Control+End", "ArrowUp", "End", "Shift+Home", "Shift+Home", "Delete");
    await workbench.type("        return");
    await workbench.press("Escape");
  };

  const untilSuggested = (text: string) =>
    workbench.until("ghost text is drawn", ghostText, (seen) => seen.replaceAll("\u00a0", " ") === text);

  /** Waits until exactly this has been written behind the last line of code. */
  const untilAdded = (added: string) =>
    workbench.until(
      "it is in the file",
      () => workbench.text("stack.py"),
      (text) => text === `${STACK.trimEnd()}${added}\n`,
    );

  const ghostText = async () => (await workbench.ghostText.allInnerTexts()).join("");

  const picture = async (name: string) => {
    if (PICTURES !== undefined) {
      mkdirSync(PICTURES, { recursive: true });
      await workbench.page.screenshot({ path: join(PICTURES, `${name}.png`) });
    }
  };

  test("typing draws what the model suggests", async () => {
    await workbench.press("Control+End", "ArrowUp", "End");
    await workbench.type(" ");
    await untilSuggested(SUGGESTED);
    await untilAdded(" ");
  });

  test("the meter shows joules, and its tooltip what they are", async () => {
    await workbench.until("the meter shows joules", () => workbench.meterText(), hasJoules);
    await picture("ghost-text");
    await workbench.meter.hover();
    const tooltip = await workbench.hover.innerText();
    assert.match(tooltip, /Mean exit layer\s+30 of 30/);
    assert.match(tooltip, /Guessed and confirmed\s+0/);
    assert.match(tooltip, /Joules are (measured|estimated)/);
    await workbench.page.mouse.move(400, 300);
  });

  test("Tab inserts exactly what was drawn", async () => {
    await workbench.press("Tab");
    await untilAdded(` ${SUGGESTED}`);
  });

  test("a suggestion can be taken word by word", async () => {
    await clearLine();
    await workbench.type(" ");
    await untilSuggested(SUGGESTED);
    await workbench.press("Control+ArrowRight");
    await untilAdded(" len");
    await untilSuggested(SUGGESTED.slice(3));
  });

  test("a suggestion takes the place of the quote and bracket that the editor has closed", async () => {
    await workbench.openFile("environment.py");
    await workbench.press("Control+End");
    await workbench.type("('");
    await workbench.until(
      "the editor has closed both",
      () => workbench.text("environment.py"),
      (text) => text === `${ENVIRONMENT}('')`,
    );
    await workbench.until("ghost text is drawn", ghostText, (text) => text.startsWith("PORT"));
    await picture("auto-closed");
    await workbench.press("Tab");
    await workbench.until(
      "the line is right",
      () => workbench.text("environment.py"),
      (text) => text === `${ENVIRONMENT}('PORT', 8080)`,
    );
  });

  test("in a file with the line ends of Windows a suggestion has them, too", async () => {
    await workbench.openFile("tabs.py");
    await workbench.press("Control+End");
    await workbench.type(":");
    const linesBelow = workbench.page.locator(".suggest-preview-text", { hasText: "return" });
    await linesBelow.first().waitFor({ state: "attached" });
    await picture("line-ends");
    await workbench.press("Tab");
    await workbench.until(
      "the file is right",
      () => workbench.text("tabs.py"),
      (text) => text === `${TABS}:\r\n\t\treturn self.x`,
    );
    await workbench.openFile("stack.py");
  });

  test("another profile acts on the next completion: its tokens are read early, or guessed", async () => {
    await workbench.profile.click();
    await workbench.pick("balanced");
    await workbench.until(
      "its name shows",
      () => workbench.profile.innerText(),
      (text) => text.includes("balanced"),
    );
    await clearLine();
    await workbench.type(" ");
    await workbench.until("ghost text is drawn", ghostText, (text) => text !== "");
    await workbench.meter.hover();
    const tooltip = await workbench.until(
      "the completion's profile shows",
      () => workbench.hover.innerText(),
      (text) => /Profile\s+balanced/.test(text),
    );
    const [, depth] = /Mean exit layer\s+([\d.]+) of 30/.exec(tooltip) ?? [];
    const [, guessed] = /Guessed and confirmed\s+(\d+)/.exec(tooltip) ?? [];
    assert.ok(Number(depth) < 30 || Number(guessed) > 0, tooltip);
    await picture("tooltip");
    await workbench.page.mouse.move(400, 300);
  });

  test("what was accepted can be coloured by depth", async () => {
    await workbench.until("ghost text is drawn", ghostText, (text) => text !== "");
    await workbench.press("Tab");
    await workbench.until("it is taken", ghostText, (text) => text === "");
    await workbench.runCommand("greencode: Colour Last Accepted Text by Exit Depth");
    const coloured = workbench.page.locator(".view-lines [class*=ced-]");
    await coloured.first().waitFor();
    await picture("depth");
    await workbench.runCommand("greencode: Colour Last Accepted Text by Exit Depth");
    await coloured.first().waitFor({ state: "detached" });
  });

  test("the dashboard shows the energy, light and dark", async () => {
    await workbench.runCommand("greencode: Dashboard");
    await workbench.webview.getByRole("heading", { name: "greencode: energy" }).waitFor();
    const text = await workbench.webview.locator("body").innerText();
    assert.match(text, JOULES);
    assert.match(text, /completions computed/);
    await workbench.webview.locator("body.vscode-light").waitFor();
    await workbench.page.setViewportSize({ width: 1100, height: 1240 });
    await picture("dashboard-light");
    await workbench.runCommand("Preferences: Toggle between Light/Dark Themes");
    await workbench.webview.locator("body.vscode-dark").waitFor();
    await picture("dashboard-dark");
    await workbench.page.setViewportSize({ width: 1100, height: 640 });
    await workbench.press("Control+F4");
  });

  test("paused, nothing is computed until resumed", async () => {
    await workbench.meter.click();
    await workbench.pick("Pause…");
    await workbench.pick("5 minutes");
    await workbench.meter.locator(".codicon-debug-pause").waitFor();
    const before = await workbench.meterText();
    await workbench.openFile("other.py");
    await workbench.press("Control+End", "ArrowUp", "End");
    await workbench.type(" ");
    await workbench.page.waitForTimeout(1500);
    assert.equal(await ghostText(), "");
    assert.equal(await workbench.meterText(), before);
    await workbench.meter.click();
    await workbench.pick("Resume");
    await workbench.untilReady();
    await workbench.focusEditor();
    await workbench.press("Control+End", "ArrowUp", "End", "Backspace");
    await workbench.type(" ");
    await workbench.until("ghost text is drawn", ghostText, (text) => text !== "");
  });

  test("a server that crashes is started again, and one that goes on crashing is said", async () => {
    const first = workbench.languageServers();
    assert.equal(first.length, 1);
    let killed = first[0];
    process.kill(killed, "SIGKILL");
    const runsAnother = () => Promise.resolve(workbench.languageServers().filter((pid) => pid !== killed));
    await workbench.until("another server runs", runsAnother, (pids) => pids.length === 1);
    await workbench.untilReady();
    const failed = workbench.meter.locator(".codicon-error");
    while (!(await failed.isVisible())) {
      const [next] = await runsAnother();
      if (next !== undefined) {
        killed = next;
        process.kill(killed, "SIGKILL");
      }
      await workbench.page.waitForTimeout(200);
    }
    await picture("error");
    await workbench.runCommand("greencode: Restart");
    await workbench.untilReady();
    assert.equal(workbench.languageServers().length, 1);
  });

  test("after the editor has closed no server is left", async () => {
    assert.ok(workbench.languageServers().length > 0);
    await workbench.close();
    while (workbench.languageServers().length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
});

function hasJoules(meter: string): boolean {
  return JOULES.test(meter);
}
