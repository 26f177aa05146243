/** Bundles the extension into dist/, and with --tests each test file into out/. */

import { build } from "esbuild";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const common = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  // jsonc-parser's "main" requires its parts in a way that cannot be bundled; its "module" does not.
  mainFields: ["module", "main"],
  external: ["vscode", "playwright-core"],
  logLevel: "warning",
};

rmSync("dist", { recursive: true, force: true });
const { metafile } = await build({
  ...common,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  metafile: true,
});
writeFileSync("dist/THIRD-PARTY-NOTICES.txt", thirdPartyNotices(Object.keys(metafile.inputs)));

if (process.argv.includes("--tests")) {
  rmSync("out", { recursive: true, force: true });
  const entryPoints = readdirSync("test", { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join("test", name));
  await build({ ...common, entryPoints, outbase: "test", outdir: "out" });
}

/** The licences of the packages that went into the bundle, as those ask for. */
function thirdPartyNotices(inputs) {
  const packages = inputs.map((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]);
  const notices = [...new Set(packages)].filter(Boolean).sort().map(notice);
  return notices.join("\n\n----------\n\n") + "\n";
}

function notice(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (licence === undefined) {
    throw new Error(`${name} has no licence file: say in esbuild.mjs how its notice is to be given.`);
  }
  return `${name} ${version}\n\n${readFileSync(join(folder, licence), "utf8").trim()}`;
}
