/** Makes greencode.vsix, lists what is in it, and fails where that is not what it should be. */

import { createVSIX } from "@vscode/vsce";
import { readFileSync } from "node:fs";

const VSIX = "greencode.vsix";
const EXPECTED = [
  "[Content_Types].xml",
  "extension.vsixmanifest",
  "extension/LICENSE.txt",
  "extension/changelog.md",
  "extension/dist/THIRD-PARTY-NOTICES.txt",
  "extension/dist/extension.js",
  "extension/icon.png",
  "extension/package.json",
  "extension/readme.md",
  ...["complete", "energy", "install", "profile"].map((step) => `extension/walkthrough/${step}.md`),
];

await createVSIX({ packagePath: VSIX, dependencies: false, allowMissingRepository: true });

const found = zipEntries(readFileSync(VSIX)).sort();
process.stdout.write(`${found.join("\n")}\n`);
const wrong = [
  ...EXPECTED.filter((name) => !found.includes(name)).map((name) => `${name} is missing`),
  ...found.filter((name) => !EXPECTED.includes(name)).map((name) => `${name} does not belong there`),
];
if (wrong.length > 0) {
  throw new Error(`${VSIX}: ${wrong.join(", ")}`);
}

/** The names in a zip file's central directory (APPNOTE.TXT 4.3.12 and 4.3.16). */
function zipEntries(zip) {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  const names = [];
  let at = zip.readUInt32LE(end + 16);
  for (let count = zip.readUInt16LE(end + 10); count > 0; count--) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    names.push(zip.toString("utf8", at + 46, at + 46 + name));
    at += 46 + name + extra + comment;
  }
  return names;
}
