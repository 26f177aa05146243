/** Between the editor and the client's inline completion: asks only when on, tells what was shown and taken. */

import type * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { ShownItem, type WireItem } from "./shownItem";

const DID_ACCEPT = "greencode.didAccept";

/** A suggestion that was taken whole: `text` was written at `start`. */
export interface Accepted {
  uri: string;
  id: string;
  start: number;
  text: string;
}

type Provide = NonNullable<Middleware["provideInlineCompletionItems"]>;
type Result = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

export class GhostText {
  private shown: { uri: string; item: ShownItem } | undefined;
  private lastId: unknown;
  private offered: Accepted[] = [];
  private accepted: Accepted | undefined;

  constructor(
    private readonly isOn: () => boolean,
    private readonly notify: (method: string, params: object) => void,
  ) {}

  readonly provideInlineCompletionItems: Provide = async (document, position, context, token, next) => {
    if (!this.isOn()) {
      return undefined;
    }
    const result = await next(document, position, context, token);
    if (!token.isCancellationRequested) {
      this.remember(document, position, result);
    }
    return result;
  };

  /** The editor runs an item's command once that has been taken whole. */
  readonly executeCommand: NonNullable<Middleware["executeCommand"]> = (command, args: unknown[], next) => {
    if (command === DID_ACCEPT) {
      this.accepted = this.offered.find(({ id }) => id === args[0]) ?? this.accepted;
    }
    return next(command, args) as unknown;
  };

  get lastAccepted(): Accepted | undefined {
    return this.accepted;
  }

  documentChanged({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    if (this.shown?.uri !== document.uri.toString() || contentChanges.length === 0) {
      return;
    }
    const { item } = this.shown;
    const isPlainEdit = contentChanges.length === 1 && reason === undefined;
    const progress = isPlainEdit ? item.follow(contentChanges[0]) : { kind: "gone" as const };
    if (progress.kind === "accepted") {
      this.notify("textDocument/didPartiallyAcceptCompletion", { item: item.item, acceptedLength: progress.length });
    }
    if (progress.kind === "gone" || (progress.kind === "accepted" && progress.complete)) {
      this.shown = undefined;
    }
  }

  /** The editor shows the first item that continues what stands before the cursor. */
  private remember(document: vscode.TextDocument, position: vscode.Position, result: Result): void {
    this.shown = undefined;
    const items = Array.isArray(result) ? result : (result?.items ?? []);
    if (items.length > 0) {
      this.offered = items.map((item) => asOffered(document, item)).filter((item) => item !== undefined);
    }
    const first = items[0] as vscode.InlineCompletionItem | undefined;
    const item = first && asWireItem(first);
    if (first?.range === undefined || item === undefined) {
      return;
    }
    const start = document.offsetAt(first.range.start);
    const present = document.offsetAt(position) - start;
    const standing = document.getText().slice(start, start + present);
    if (!item.insertText.startsWith(standing) || item.insertText === standing) {
      return;
    }
    this.shown = { uri: document.uri.toString(), item: new ShownItem(item, start, present) };
    this.tellShown(item);
  }

  /** The rest of a suggestion comes again after each typed character; it counts as shown once. */
  private tellShown(item: WireItem): void {
    const id: unknown = item.command?.arguments?.[0];
    if (id === undefined || id !== this.lastId) {
      this.lastId = id;
      this.notify("textDocument/didShowCompletion", { item });
    }
  }
}

function asOffered(document: vscode.TextDocument, item: vscode.InlineCompletionItem): Accepted | undefined {
  const wire = asWireItem(item);
  const id = wire?.command?.arguments?.[0];
  if (wire === undefined || item.range === undefined || typeof id !== "string") {
    return undefined;
  }
  return { uri: document.uri.toString(), id, start: document.offsetAt(item.range.start), text: wire.insertText };
}

function asWireItem({ insertText, range, command }: vscode.InlineCompletionItem): WireItem | undefined {
  if (typeof insertText !== "string" || range === undefined) {
    return undefined;
  }
  const position = ({ line, character }: vscode.Position) => ({ line, character });
  return {
    insertText,
    range: { start: position(range.start), end: position(range.end) },
    command: command && { title: command.title, command: command.command, arguments: command.arguments as unknown[] },
  };
}
