/** How the server is: what it says itself (`greencode/status`) and what the client sees from outside. */

import { asFields, BadPayload, flag, text } from "./payload";

const KINDS = ["normal", "warning", "error", "inactive"] as const;

export interface ServerStatus {
  kind: (typeof KINDS)[number];
  busy: boolean;
  message: string;
}

export type Lifecycle =
  { phase: "off" } | { phase: "starting" } | { phase: "running" } | { phase: "failed"; message: string };

/** Until a new server says how it is, it is taken to be busy. */
export const NOT_HEARD_OF: ServerStatus = { kind: "normal", busy: true, message: "" };

/** Throws BadPayload, which names the field. */
export function parseStatus(payload: unknown): ServerStatus {
  const fields = asFields(payload, "greencode/status");
  const kind = KINDS.find((known) => known === fields.kind);
  if (kind === undefined) {
    throw new BadPayload(`kind is none of ${KINDS.join(", ")}`);
  }
  return { kind, busy: flag(fields, "busy"), message: text(fields, "message") };
}
