/** Which part of a document each token of an accepted suggestion is, and how deep it was read. */

import { asFields, BadPayload, flag, numberOrNull } from "./payload";

/** A guessed token was known before it ran, and the layer it was read at said yes. */
export interface TokenDepth {
  length: number;
  exitLayer: number;
  guessed: boolean;
}

export interface Depths {
  layers: number;
  tokens: TokenDepth[];
}

/** From `start` to `end` in UTF-16 units of the document. */
export interface DepthRange {
  start: number;
  end: number;
  exitLayer: number;
  guessed: boolean;
}

/** Null where the server does not remember the completion. Throws BadPayload. */
export function parseDepths(payload: unknown): Depths | null {
  if (payload === null || payload === undefined) {
    return null;
  }
  const fields = asFields(payload, "greencode.tokens");
  if (!Array.isArray(fields.tokens)) {
    throw new BadPayload("tokens is not a list");
  }
  return {
    layers: numberOrNull(fields, "layers") ?? 0,
    tokens: fields.tokens.map((token: unknown) => {
      const parts = asFields(token, "token");
      return {
        length: numberOrNull(parts, "length") ?? 0,
        exitLayer: numberOrNull(parts, "exitLayer") ?? 0,
        guessed: flag(parts, "guessed"),
      };
    }),
  };
}

/**
 * Finds the tokens of `accepted` in `text`, where it was written at `start`; undefined when it no longer stands there.
 * The tokens are the end of it: before them may stand what was chosen from the editor's menu. Line ends may differ.
 */
export function depthRanges(text: string, start: number, accepted: string, depths: Depths): DepthRange[] | undefined {
  const offsets = [start];
  let at = start;
  for (const unit of accepted.split("")) {
    if (unit === "\n" && text.startsWith("\r\n", at)) {
      at++;
    }
    if (text[at] !== unit) {
      return undefined;
    }
    offsets.push(++at);
  }
  const covered = depths.tokens.reduce((sum, { length }) => sum + length, 0);
  let from = Math.max(0, accepted.length - covered);
  return depths.tokens.map(({ length, exitLayer, guessed }) => {
    const to = Math.min(from + length, accepted.length);
    const range = { start: offsets[from], end: offsets[to], exitLayer, guessed };
    from = to;
    return range;
  });
}

/** 0 for the shallowest quarter of a model's layers, 3 for the deepest. */
export function quarter(exitLayer: number, layers: number): number {
  return Math.min(3, Math.max(0, Math.ceil((exitLayer / Math.max(layers, 1)) * 4) - 1));
}
