/** What a test in a real editor needs: found here, installed once into a cache, or missing for a reason. */

import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";

const CODE_SERVER = "4.100.3";
/** Its `engines`: it does not start with another one. */
const NODE_MAJOR = "20";

export interface Requirements {
  /** The script that starts code-server, which is VS Code in a browser. */
  codeServer: string;
  chromium: string;
  languageServer: string;
  vsix: string;
}

/** Returns why the tests cannot run, in one line, where something is missing. */
export function findRequirements(): Requirements | string {
  if (process.platform !== "linux") {
    return "the test in a real editor runs on Linux only";
  }
  if (process.versions.node.split(".")[0] !== NODE_MAJOR) {
    return `code-server ${CODE_SERVER} needs node ${NODE_MAJOR}, this is ${process.versions.node}`;
  }
  const chromium = process.env.CHROMIUM || onPath("chromium", "chromium-browser", "google-chrome");
  if (chromium === undefined) {
    return "no chromium on the PATH: install it (Debian: apt-get install chromium) or set CHROMIUM";
  }
  const languageServer = process.env.GREENCODE_LSP || onPath("greencode-lsp");
  if (languageServer === undefined || !existsSync(languageServer)) {
    return "no greencode-lsp: set GREENCODE_LSP or run `pip install -e ..`";
  }
  const vsix = resolve("greencode.vsix");
  if (!existsSync(vsix)) {
    return "no greencode.vsix: run `npm run package`";
  }
  const codeServer = installCodeServer();
  return typeof codeServer === "string"
    ? codeServer
    : { codeServer: codeServer.entry, chromium, languageServer: resolve(languageServer), vsix };
}

/**
 * Without its install scripts, which compile and download from elsewhere: a terminal and the search in files are
 * missing then, and nothing that a completion needs. argon2 is taken in a version that brings its binary.
 */
function installCodeServer(): { entry: string } | string {
  const folder = process.env.GREENCODE_CODE_SERVER || join(homedir(), ".cache", "greencode-editors", CODE_SERVER);
  const entry = join(folder, "node_modules", "code-server", "out", "node", "entry.js");
  const finished = join(folder, ".installed");
  if (existsSync(finished)) {
    return { entry };
  }
  mkdirSync(folder, { recursive: true });
  const wanted = { private: true, dependencies: { "code-server": CODE_SERVER }, overrides: { argon2: "0.44.0" } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(wanted));
  try {
    npmInstall(folder);
    const vscode = join(folder, "node_modules", "code-server", "lib", "vscode");
    npmInstall(vscode, "--omit=dev");
    if (!existsSync(join(vscode, "node_modules.asar"))) {
      symlinkSync("node_modules", join(vscode, "node_modules.asar"));
    }
  } catch (error) {
    return `code-server could not be installed: ${String(error).split("\n")[0]}`;
  }
  writeFileSync(finished, "");
  return { entry };
}

function npmInstall(folder: string, ...options: string[]): void {
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  execFileSync("npm", ["install", ...quiet, ...options], { cwd: folder, timeout: 900_000, stdio: "pipe" });
}

function onPath(...names: string[]): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
