/** Reading fields of a JSON payload that another process sent: right, absent, or an error that names the field. */

export class BadPayload extends Error {}

export type Fields = Record<string, unknown>;

export function asFields(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadPayload(`${name} is not an object`);
  }
  return value as Fields;
}

/** The number in field `key`; null when the sender does not know it. */
export function numberOrNull(fields: Fields, key: string): number | null {
  const value = fields[key] ?? null;
  if (value !== null && (typeof value !== "number" || !Number.isFinite(value))) {
    throw new BadPayload(`${key} is not a number`);
  }
  return value;
}

export function text(fields: Fields, key: string): string {
  const value = fields[key] ?? "";
  if (typeof value !== "string") {
    throw new BadPayload(`${key} is not a string`);
  }
  return value;
}

export function flag(fields: Fields, key: string): boolean {
  const value = fields[key] ?? false;
  if (typeof value !== "boolean") {
    throw new BadPayload(`${key} is not a boolean`);
  }
  return value;
}
