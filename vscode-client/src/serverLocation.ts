/** Where the language server is: a setting, the PATH, or a Python that has the package. */

import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";
import type { Settings } from "./settings";

export interface ServerCommand {
  command: string;
  args: string[];
}

/** What the search needs to know about this computer. */
export interface Machine {
  platform: NodeJS.Platform;
  env: Record<string, string | undefined>;
  isExecutable(file: string): boolean;
  /** Whether this Python starts and has the package `greencode_lsp`. */
  hasServer(interpreter: string): Promise<boolean>;
  /** The interpreter chosen in the Python extension, if that is installed. */
  activeInterpreter(): Promise<string | undefined>;
}

/** Says in one line what is missing and what to do. */
export class ServerNotFound extends Error {}

const EXECUTABLE = "greencode-lsp";

/** Explicit settings first and without falling back, so that a typing mistake is heard of. */
export async function locateServer(
  settings: Pick<Settings, "path" | "interpreter">,
  machine: Machine,
): Promise<ServerCommand> {
  if (settings.path !== "") {
    const command = resolveCommand(settings.path, machine);
    if (command === undefined) {
      throw new ServerNotFound(
        `The setting greencode.path names no program: ${settings.path}. Give an absolute path or a command on the PATH.`,
      );
    }
    return { command, args: [] };
  }
  if (settings.interpreter !== "") {
    const interpreter = resolveCommand(settings.interpreter, machine);
    if (interpreter === undefined || !(await machine.hasServer(interpreter))) {
      throw new ServerNotFound(
        `The Python in the setting greencode.interpreter does not have greencode: ${settings.interpreter}. ` +
          "Run `pip install .` with it in greencode's folder.",
      );
    }
    return asModule(interpreter);
  }
  const onPath = resolveCommand(EXECUTABLE, machine);
  if (onPath !== undefined) {
    return { command: onPath, args: [] };
  }
  const active = await machine.activeInterpreter();
  if (active !== undefined && (await machine.hasServer(active))) {
    return asModule(active);
  }
  throw new ServerNotFound(
    "greencode needs its language server: run `pip install .` in greencode's folder, or set greencode.path to where it is.",
  );
}

/** An absolute path as it is, a bare command from the PATH; undefined where there is no such program. */
export function resolveCommand(command: string, machine: Machine): string | undefined {
  const paths = machine.platform === "win32" ? path.win32 : path.posix;
  if (paths.isAbsolute(command)) {
    return withExtensions(command, machine).find((file) => machine.isExecutable(file));
  }
  if (paths.basename(command) !== command) {
    return undefined;
  }
  // A relative PATH entry would run what lies in whatever folder the editor was started from.
  const folders = (environment("PATH", machine) ?? "")
    .split(paths.delimiter)
    .filter((folder) => paths.isAbsolute(folder));
  return folders
    .flatMap((folder) => withExtensions(paths.join(folder, command), machine))
    .find((file) => machine.isExecutable(file));
}

function withExtensions(file: string, machine: Machine): string[] {
  if (machine.platform !== "win32" || path.win32.extname(file) !== "") {
    return [file];
  }
  // Scripts (.bat, .cmd) need a shell to start, and Python packages install none.
  const extensions = (environment("PATHEXT", machine) ?? ".COM;.EXE").split(";");
  return extensions.filter((extension) => /^\.(com|exe)$/i.test(extension)).map((extension) => file + extension);
}

/** Windows does not tell `Path` from `PATH`. */
function environment(name: string, { platform, env }: Machine): string | undefined {
  const key = platform === "win32" ? Object.keys(env).find((other) => other.toUpperCase() === name) : name;
  return key === undefined ? undefined : env[key];
}

// -P: a folder named greencode_lsp in the working directory must not be taken for the package.
const SAFE_PATH = "-P";

function asModule(interpreter: string): ServerCommand {
  return { command: interpreter, args: [SAFE_PATH, "-m", "greencode_lsp.server"] };
}

export function thisMachine(activeInterpreter: Machine["activeInterpreter"]): Machine {
  return { platform: process.platform, env: process.env, isExecutable, hasServer, activeInterpreter };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function hasServer(interpreter: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { cwd: homedir(), timeout: 30_000, windowsHide: true };
    execFile(interpreter, [SAFE_PATH, "-c", "import greencode_lsp"], options, (error) => resolve(error === null));
  });
}
