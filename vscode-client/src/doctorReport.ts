/** What `greencode.doctor` found, as a document a person reads. */

import { escapeMarkdown } from "./energyReport";
import { asFields, BadPayload, flag, text } from "./payload";

export interface Check {
  name: string;
  ok: boolean;
  detail: string;
  /** What to do about it; empty where nothing needs doing. */
  fix: string;
}

/** Throws BadPayload, which names the field. */
export function parseChecks(payload: unknown): Check[] {
  const { checks } = asFields(payload, "greencode.doctor");
  if (!Array.isArray(checks)) {
    throw new BadPayload("checks is not a list");
  }
  return checks.map((check: unknown) => {
    const fields = asFields(check, "check");
    return {
      name: text(fields, "name"),
      ok: flag(fields, "ok"),
      detail: text(fields, "detail"),
      fix: text(fields, "fix"),
    };
  });
}

export function doctorReport(checks: Check[]): string {
  const failing = checks.filter((check) => !check.ok).length;
  const summary = failing === 0 ? "Everything works." : `${failing} of ${checks.length} checks need attention.`;
  return `# greencode: doctor\n\n${summary}\n\n${checks.map(checkInWords).join("\n")}\n`;
}

function checkInWords({ name, ok, detail, fix }: Check): string {
  const line = `- ${ok ? "✓" : "✗"} **${escapeMarkdown(name)}**: ${escapeMarkdown(detail)}`;
  return fix === "" ? line : `${line}\n  - What helps: ${escapeMarkdown(fix)}`;
}
