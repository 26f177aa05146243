import assert from "node:assert/strict";
import { test } from "node:test";
import type * as vscode from "vscode";
import { TextDocument } from "vscode-languageserver-textdocument";
import { GhostText } from "../src/ghostText";

const SOURCE = "x = fo";
const CURSOR = { line: 0, character: 6 } as vscode.Position;
const CONTEXT = {} as vscode.InlineCompletionContext;
const TOKEN = { isCancellationRequested: false } as vscode.CancellationToken;

const content = TextDocument.create("file:///a.py", "python", 1, SOURCE);
const document = {
  uri: { toString: () => content.uri },
  getText: () => content.getText(),
  offsetAt: (position: vscode.Position) => content.offsetAt(position),
} as vscode.TextDocument;

function item(insertText: string, id: string, from = 4): vscode.InlineCompletionItem {
  const range = { start: { line: 0, character: from }, end: CURSOR } as vscode.Range;
  return { insertText, range, command: { title: "", command: "greencode.didAccept", arguments: [id] } };
}

function ghostText(isOn = true) {
  const sent: [string, Record<string, unknown>][] = [];
  const ghost = new GhostText(
    () => isOn,
    (method, params) => sent.push([method.replace("textDocument/", ""), params as Record<string, unknown>]),
  );
  const ask = async (answer: vscode.InlineCompletionItem[], token = TOKEN) =>
    ghost.provideInlineCompletionItems(document, CURSOR, CONTEXT, token, () => answer);
  const edit = (text: string, reason?: vscode.TextDocumentChangeReason) =>
    ghost.documentChanged({
      document,
      reason,
      contentChanges: [{ text, rangeOffset: SOURCE.length, rangeLength: 0 } as vscode.TextDocumentContentChangeEvent],
    });
  return { ghost, sent, ask, edit };
}

test("turned off, the server is not asked", async () => {
  const { ghost } = ghostText(false);
  const next = () => assert.fail("the server was asked");
  assert.equal(await ghost.provideInlineCompletionItems(document, CURSOR, CONTEXT, TOKEN, next), undefined);
});

test("the first item is told as shown, once for each completion", async () => {
  const { sent, ask } = ghostText();
  await ask([item("foo(bar)", "c1"), item("fox", "c2")]);
  await ask([item("foo(bar)", "c1")]);
  await ask([item("form", "c3")]);
  const start = { line: 0, character: 4 };
  const command = { title: "", command: "greencode.didAccept", arguments: ["c1"] };
  assert.deepEqual(
    sent.map(([method]) => method),
    ["didShowCompletion", "didShowCompletion"],
  );
  assert.deepEqual(sent[0][1], { item: { insertText: "foo(bar)", range: { start, end: CURSOR }, command } });
});

test("nothing is told of an answer that the editor does not show", async () => {
  const { sent, ask } = ghostText();
  await ask([]);
  await ask([item("foo", "c1")], { ...TOKEN, isCancellationRequested: true });
  await ask([item("bar", "c2")]);
  await ask([item("fo", "c3")]);
  assert.deepEqual(sent, []);
});

test("a part taken at the cursor is told with its length from the start of the item", async () => {
  const { sent, ask, edit } = ghostText();
  await ask([item("foo(bar)", "c1")]);
  edit("o(bar");
  assert.equal(sent[1][0], "didPartiallyAcceptCompletion");
  assert.equal(sent[1][1].acceptedLength, 7);
});

test("undo and redo are not acceptances", async () => {
  const { sent, ask, edit } = ghostText();
  await ask([item("foo(bar)", "c1")]);
  edit("o(bar", 2);
  edit("o(bar");
  assert.equal(sent.length, 1);
});
