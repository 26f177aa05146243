/** Settings in a folder that the user does not trust: which are the user's alone, and what the folder tried to set. */

import { parse } from "jsonc-parser";
import { capabilities, contributes } from "../package.json";

/** Settings with which a folder could start a program or a download, reach other files, or change what is kept. */
export const RESTRICTED: readonly string[] = capabilities.untrustedWorkspaces.restrictedConfigurations;

const HARMLESS = new Set(Object.keys(contributes.configuration.properties).filter((key) => !RESTRICTED.includes(key)));

/** What the editor knows of one setting. */
export interface Inspected {
  globalValue?: unknown;
  defaultValue?: unknown;
}

/**
 * The values of a section for a folder that is not trusted: of the folder's own only those known to be harmless.
 * The editor drops restricted values only where they are written with the full key; `"greencode": {"path": …}` gets by.
 */
export function withoutTheFolders(
  section: string,
  merged: Readonly<Record<string, unknown>>,
  inspect: (key: string) => Inspected | undefined,
): Record<string, unknown> {
  const users = ([name, value]: [string, unknown]): [string, unknown] => {
    const key = `${section}.${name}`;
    const known = HARMLESS.has(key) ? undefined : inspect(key);
    return [name, HARMLESS.has(key) ? value : (known?.globalValue ?? known?.defaultValue)];
  };
  return Object.fromEntries(Object.entries(merged).map(users));
}

/** The restricted settings that a settings file of a folder gives a value, in either way of writing them. */
export function restrictedIn(section: string, settingsFile: string): string[] {
  const settings = asTable(parse(settingsFile, [], { allowTrailingComma: true }));
  // A file of a whole workspace (.code-workspace) has the settings one level down.
  return RESTRICTED.filter((key) =>
    [settings, asTable(settings.settings)].some(
      (table) => key in table || key.slice(section.length + 1) in asTable(table[section]),
    ),
  );
}

/** One line: what is not used, and how to allow it. */
export function ignoredMessage(keys: readonly string[]): string {
  const names = keys.length === 1 ? keys[0] : `${keys.slice(0, -1).join(", ")} and ${keys[keys.length - 1]}`;
  return (
    `greencode: you have not trusted this folder, so what it sets for ${names} is not used; your own settings are. ` +
    "To use the folder's, trust it."
  );
}

function asTable(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
