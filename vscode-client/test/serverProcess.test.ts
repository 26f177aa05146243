import assert from "node:assert/strict";
import { test } from "node:test";
import { endServer, spawnServer } from "../src/serverProcess";

const node = (script: string) => spawnServer({ command: process.execPath, args: ["-e", script] });

test("a server that does not end by itself is killed", async () => {
  const server = await node("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)");
  await endServer(server, 0);
  assert.equal(server.signalCode, process.platform === "win32" ? null : "SIGKILL");
});

test("a server that ends by itself is waited for, and one that has ended is left alone", async () => {
  const server = await node("process.stdin.resume().on('end', () => process.exit(7))");
  server.stdin.end();
  await endServer(server, 60_000);
  assert.equal(server.exitCode, 7);
  await endServer(server, 0);
});

test("a program that cannot be started is an error", async () => {
  await assert.rejects(spawnServer({ command: "/no/such/greencode-lsp", args: [] }), /ENOENT/);
});
