/** VS Code in a headless browser, with the packaged extension and a person's hands and eyes. */

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { chromium, type Browser, type FrameLocator, type Locator, type Page } from "playwright-core";
import type { Requirements } from "./requirements";

/** Nothing that works takes so long, also on a slow machine with other work: only what hangs waits to the end. */
const PATIENCE_MS = 300_000;
/** Once something was waited for in vain: the run has failed, and is not to take hours to say so. */
const PATIENCE_AFTER_A_FAILURE_MS = 10_000;

export class Workbench {
  private patienceMs = PATIENCE_MS;

  private constructor(
    readonly page: Page,
    private readonly browser: Browser,
    private readonly server: ChildProcess,
    private readonly folder: string,
  ) {}

  /**
   * Installs the extension offline and opens a folder with `files`. Only `settings` and the PATH tell it anything.
   * The folder is trusted, or else it is opened as one of a stranger's, without asking.
   */
  static async open(
    { codeServer, chromium: executablePath, languageServer, vsix }: Requirements,
    files: Record<string, string>,
    settings: Record<string, unknown>,
    trusted = true,
  ): Promise<Workbench> {
    const folder = mkdtempSync(join(tmpdir(), "greencode-editor-"));
    const [user, extensions, work, bin] = ["user", "extensions", "work", "bin"].map((name) => join(folder, name));
    [join(user, "User"), work, bin].forEach((path) => mkdirSync(path, { recursive: true }));
    symlinkSync(languageServer, join(bin, "greencode-lsp"));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(work, name)), { recursive: true });
      writeFileSync(join(work, name), text);
    }
    const unasked = { "security.workspace.trust.startupPrompt": "never" };
    writeFileSync(join(user, "User", "settings.json"), JSON.stringify({ ...settings, ...unasked }));
    const folders = ["--user-data-dir", user, "--extensions-dir", extensions];
    const env = {
      HOME: process.env.HOME,
      PATH: [bin, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter),
      GREENCODE_DATA: join(folder, "data"),
      // The costs of a first start are known where other tests have run with as many threads.
      OMP_NUM_THREADS: process.env.OMP_NUM_THREADS,
      // Started from a terminal, the editor leaves the PATH as it is and asks no login shell.
      VSCODE_CLI: "1",
    };
    execFileSync(process.execPath, [codeServer, "--install-extension", vsix, ...folders], { env, stdio: "pipe" });
    const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    const browser = await chromium.launch({ executablePath, args });
    const page = await browser.newPage({ viewport: { width: 1100, height: 640 }, deviceScaleFactor: 1.5 });
    page.setDefaultTimeout(PATIENCE_MS);
    const port = await freePort();
    const quiet = ["--auth", "none", "--disable-telemetry", "--disable-update-check"];
    if (trusted) {
      quiet.push("--disable-workspace-trust");
    }
    const server = spawn(process.execPath, [codeServer, ...quiet, ...folders, "--bind-addr", `127.0.0.1:${port}`], {
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const workbench = new Workbench(page, browser, server, folder);
    try {
      await untilListening(server);
      await page.goto(`http://127.0.0.1:${port}/?folder=${work}`);
    } catch (error) {
      await workbench.close();
      throw error;
    }
    return workbench;
  }

  get meter(): Locator {
    return this.page.locator('.statusbar-item[id$="greencode.meter"]');
  }

  get profile(): Locator {
    return this.page.locator('.statusbar-item[id$="greencode.profile"]');
  }

  get ghostText(): Locator {
    return this.page.locator(".view-lines [class*=ghost-text]");
  }

  get hover(): Locator {
    return this.page.locator(".workbench-hover:visible").last();
  }

  /** The page of a webview: a frame in a frame. */
  get webview(): FrameLocator {
    return this.page.frameLocator("iframe.webview").frameLocator("iframe");
  }

  /** Messages in the corner of the window that have a text. */
  messages(text: RegExp): Locator {
    return this.page.locator(".notifications-toasts .notification-list-item", { hasText: text });
  }

  /** Waits until the server has loaded the model and nothing is wrong. */
  async untilReady(): Promise<void> {
    await this.meter.locator(".codicon-zap").waitFor();
  }

  async openFile(name: string): Promise<void> {
    await this.page.locator(".explorer-viewlet .monaco-list-row", { hasText: name }).dblclick();
    await this.page.locator(".editor-group-container .tab.active", { hasText: name }).waitFor();
    await this.focusEditor();
  }

  async focusEditor(): Promise<void> {
    await this.page.locator(".monaco-editor .view-lines").first().click();
    await this.page.locator(".monaco-editor.focused").waitFor();
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** Types as a person does: the editor hears one key at a time. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 20 });
  }

  async runCommand(title: string): Promise<void> {
    await this.press("F1");
    await this.page.locator(".quick-input-widget input").fill(`>${title}`);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().click();
  }

  async pick(label: string): Promise<void> {
    const rows = this.page.locator(".quick-input-list .monaco-list-row");
    await rows
      .filter({ has: this.page.getByText(label, { exact: true }) })
      .first()
      .click();
  }

  /** What is in a file: the editor saves at once, and never what is only drawn. */
  text(name: string): Promise<string> {
    return Promise.resolve(readFileSync(join(this.folder, "work", name), "utf8"));
  }

  /** Waits until something holds; says what was seen last when it never does. */
  async until<T>(what: string, look: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
    const end = Date.now() + this.patienceMs;
    for (;;) {
      const seen = await look();
      if (holds(seen)) {
        return seen;
      }
      if (Date.now() > end) {
        this.patienceMs = PATIENCE_AFTER_A_FAILURE_MS;
        this.page.setDefaultTimeout(this.patienceMs);
        throw new Error(`Waited in vain until ${what}; last seen: ${JSON.stringify(seen)}`);
      }
      await this.page.waitForTimeout(50);
    }
  }

  meterText(): Promise<string> {
    return this.meter.innerText().then((text) => text.replaceAll("\u00a0", " ").trim());
  }

  /** Language servers that this editor has started and that still run. */
  languageServers(): number[] {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0 && this.isLanguageServer(pid));
  }

  async close(): Promise<void> {
    await this.browser.close();
    if (this.server.exitCode === null) {
      this.server.kill();
      await once(this.server, "exit");
    }
  }

  private isLanguageServer(pid: number): boolean {
    try {
      const ours = readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.folder);
      return ours && /python/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0]);
    } catch {
      return false;
    }
  }
}

async function untilListening(server: ChildProcess): Promise<void> {
  const { stdout } = server;
  if (stdout === null) {
    throw new Error("code-server was started without a way to hear it");
  }
  let said = "";
  stdout.on("data", (chunk) => (said += String(chunk)));
  while (!said.includes("HTTP server listening")) {
    await Promise.race([once(stdout, "data"), once(server, "exit")]);
    if (server.exitCode !== null) {
      throw new Error(`code-server did not start: ${said}`);
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}
