/** The server as a process of ours: started here, and certain to be gone when it has to be. */

import { execFile, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import type { ServerCommand } from "./serverLocation";

export type ServerProcess = ChildProcessWithoutNullStreams;

/** Rejects when the program cannot be started at all. */
export async function spawnServer({ command, args }: ServerCommand): Promise<ServerProcess> {
  // At home: nothing that lies in the opened folder can get in the way of the server's own imports.
  const server = spawn(command, args, { cwd: homedir(), windowsHide: true });
  await once(server, "spawn");
  return server;
}

/** Waits `graceMs` for the process to end by itself, then kills it. */
export async function endServer(server: ServerProcess, graceMs: number): Promise<void> {
  if (hasEnded(server)) {
    return;
  }
  const ended = once(server, "exit");
  const timer = setTimeout(() => kill(server), graceMs);
  await ended;
  clearTimeout(timer);
}

function hasEnded(server: ServerProcess): boolean {
  return server.exitCode !== null || server.signalCode !== null;
}

function kill(server: ServerProcess): void {
  if (process.platform === "win32") {
    // What pip installs there is a launcher: the server is its child.
    execFile("taskkill", ["/T", "/F", "/PID", String(server.pid)]);
  } else {
    server.kill("SIGKILL");
  }
}
