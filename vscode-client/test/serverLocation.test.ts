import assert from "node:assert/strict";
import { test } from "node:test";
import { locateServer, ServerNotFound, type Machine } from "../src/serverLocation";

interface Fake {
  files?: string[];
  path?: string;
  withServer?: string[];
  active?: string;
}

function linux({ files = [], path = "/usr/bin:/opt/bin", withServer = [], active }: Fake): Machine {
  return {
    platform: "linux",
    env: { PATH: path },
    isExecutable: (file) => files.includes(file),
    hasServer: (interpreter) => Promise.resolve(withServer.includes(interpreter)),
    activeInterpreter: () => Promise.resolve(active),
  };
}

const NOTHING_SET = { path: "", interpreter: "" };
const AS_MODULE = ["-P", "-m", "greencode_lsp.server"];

test("an absolute path in the settings is taken before anything else", async () => {
  const machine = linux({ files: ["/my/greencode-lsp", "/usr/bin/greencode-lsp"] });
  const found = await locateServer({ path: "/my/greencode-lsp", interpreter: "/usr/bin/python" }, machine);
  assert.deepEqual(found, { command: "/my/greencode-lsp", args: [] });
});

test("a command in the settings is looked up on the PATH", async () => {
  const machine = linux({ files: ["/opt/bin/my-greencode"] });
  const found = await locateServer({ ...NOTHING_SET, path: "my-greencode" }, machine);
  assert.equal(found.command, "/opt/bin/my-greencode");
});

test("a wrong path in the settings is an error that names it, not a reason to search on", async () => {
  const machine = linux({ files: ["/usr/bin/greencode-lsp"] });
  for (const path of ["/no/such", "no-such", "./greencode-lsp"]) {
    await assert.rejects(locateServer({ ...NOTHING_SET, path }, machine), (error: Error) => {
      assert.ok(error instanceof ServerNotFound);
      assert.match(error.message, /greencode\.path/);
      return error.message.includes(path);
    });
  }
});

test("a Python in the settings runs the server as a module if it has the package", async () => {
  const settings = { ...NOTHING_SET, interpreter: "/env/bin/python" };
  const files = ["/env/bin/python", "/usr/bin/greencode-lsp"];
  assert.deepEqual(await locateServer(settings, linux({ files, withServer: ["/env/bin/python"] })), {
    command: "/env/bin/python",
    args: AS_MODULE,
  });
  await assert.rejects(locateServer(settings, linux({ files })), /greencode\.interpreter.*\/env\/bin\/python/);
});

test("without settings the PATH is searched in its order", async () => {
  const machine = linux({ files: ["/opt/bin/greencode-lsp", "/usr/bin/greencode-lsp"], active: "/env/bin/python" });
  assert.equal((await locateServer(NOTHING_SET, machine)).command, "/usr/bin/greencode-lsp");
});

test("relative entries of the PATH are not searched", async () => {
  const machine = linux({ files: ["greencode-lsp", "bin/greencode-lsp"], path: ":.:bin" });
  await assert.rejects(locateServer(NOTHING_SET, machine), ServerNotFound);
});

test("the Python extension's interpreter is the last resort", async () => {
  const active = "/env/bin/python";
  assert.deepEqual(await locateServer(NOTHING_SET, linux({ active, withServer: [active] })), {
    command: active,
    args: AS_MODULE,
  });
  await assert.rejects(locateServer(NOTHING_SET, linux({ active })), ServerNotFound);
});

test("when there is no server the message says how to install it", async () => {
  await assert.rejects(locateServer(NOTHING_SET, linux({})), /pip install \./);
});

test("Windows extends a bare name by PATHEXT, and leaves scripts that need a shell alone", async () => {
  const windows = (files: string[]): Machine => ({
    ...linux({}),
    platform: "win32",
    env: { Path: "C:\\Python\\Scripts;D:\\tools", PATHEXT: ".BAT;.EXE;.CMD" },
    isExecutable: (file) => files.includes(file),
  });
  const found = await locateServer(NOTHING_SET, windows(["D:\\tools\\greencode-lsp.EXE"]));
  assert.equal(found.command, "D:\\tools\\greencode-lsp.EXE");
  await assert.rejects(locateServer(NOTHING_SET, windows(["D:\\tools\\greencode-lsp.BAT"])), ServerNotFound);
});
