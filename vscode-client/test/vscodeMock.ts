/**
 * A hand-made `vscode` module, just deep enough for the real vscode-languageclient and for this extension.
 * What a user would see or do is recorded and steered through `editor`.
 */

import { EventEmitter as NodeEmitter, once } from "node:events";
import Module from "node:module";
import { CancellationTokenSource, Emitter } from "vscode-languageserver-protocol/node";
import { TextDocument } from "vscode-languageserver-textdocument";

class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}

class Range {
  readonly start: Position;
  readonly end: Position;
  constructor(...ends: [number, number, number, number] | [Position, Position]) {
    [this.start, this.end] =
      ends.length === 2 ? ends : [new Position(ends[0], ends[1]), new Position(ends[2], ends[3])];
  }
}

class Uri {
  private constructor(
    readonly scheme: string,
    readonly path: string,
  ) {}
  static from({ scheme, path }: { scheme: string; path: string }) {
    return new Uri(scheme, path);
  }
  static parse(value: string) {
    const { protocol, pathname } = new URL(value);
    return new Uri(protocol.slice(0, -1), decodeURIComponent(pathname));
  }
  static joinPath(base: Uri, name: string) {
    return new Uri(base.scheme, `${base.path}/${name}`);
  }
  static file(path: string) {
    return new Uri("file", path);
  }
  get fsPath() {
    return this.path;
  }
  toString() {
    return `${this.scheme}://${encodeURI(this.path)}`;
  }
}

class MarkdownString {
  isTrusted: unknown;
  constructor(readonly value: string) {}
}

class ThemeColor {
  constructor(readonly id: string) {}
}

class InlineCompletionItem {
  constructor(
    readonly insertText: string,
    readonly range?: Range,
    readonly command?: Command,
  ) {}
}

class InlineCompletionList {
  constructor(readonly items: InlineCompletionItem[]) {}
}

enum InlineCompletionTriggerKind {
  Invoke = 0,
  Automatic = 1,
}

interface Command {
  title: string;
  command: string;
  arguments?: unknown[];
}

interface InlineCompletionProvider {
  provideInlineCompletionItems(
    document: object,
    position: Position,
    context: object,
    token: unknown,
  ): Promise<InlineCompletionList | undefined>;
}

const openedDocuments: object[] = [];
const events = {
  openDocument: new Emitter<object>(),
  closeDocument: new Emitter<object>(),
  changeDocument: new Emitter<object>(),
  changeConfiguration: new Emitter<{ affectsConfiguration(key: string): boolean }>(),
};
const never = () => ({ dispose() {} });
const changed = new NodeEmitter();

function newStatusBarItem() {
  return { text: "", tooltip: undefined as MarkdownString | undefined, show() {}, hide() {}, dispose() {} };
}

/** The user's side: what is on the screen, and what the user does. */
export const editor = {
  settings: {} as Record<string, unknown>,
  commands: new Map<string, (...args: unknown[]) => unknown>(),
  providers: new Set<InlineCompletionProvider>(),
  log: [] as string[],
  errors: [] as string[],
  previews: new Map<string, string>(),
  contentProvider: undefined as { provideTextDocumentContent(uri: Uri): string } | undefined,
  /** The meter. */
  statusBar: newStatusBarItem(),
  profile: newStatusBarItem(),
  page: "",
  colours: new Map<string, { range: object }[]>(),
  saved: new Map<string, string>(),
  active: undefined as object | undefined,
  Position,
  CancellationTokenSource,

  changeSetting(key: string, value: unknown): void {
    editor.settings[key] = value;
    const full = `greencode.${key}`;
    events.changeConfiguration.fire({ affectsConfiguration: (name) => full === name || full.startsWith(`${name}.`) });
  },

  open(path: string, languageId: string, text: string): object {
    const uri = Uri.file(path);
    let content = TextDocument.create(uri.toString(), languageId, 1, text);
    const document = {
      uri,
      languageId,
      version: 1,
      getText: () => content.getText(),
      offsetAt: (position: Position) => content.offsetAt(position),
      positionAt: (offset: number) => content.positionAt(offset),
      insert: (position: Position, inserted: string) => {
        const range = { start: position, end: position };
        const rangeOffset = content.offsetAt(position);
        content = TextDocument.update(content, [{ range, text: inserted }], ++document.version);
        const contentChanges = [{ range, rangeOffset, rangeLength: 0, text: inserted }];
        events.changeDocument.fire({ document, contentChanges, reason: undefined });
      },
    };
    openedDocuments.push(document);
    events.openDocument.fire(document);
    return document;
  },

  /** Writes at a place, as accepting a suggestion does. */
  write(document: object, position: Position, text: string): void {
    (document as { insert(at: Position, text: string): void }).insert(position, text);
  },

  async complete(document: object, position: Position, token: unknown): Promise<InlineCompletionItem[]> {
    const [provider] = editor.providers;
    const context = { triggerKind: InlineCompletionTriggerKind.Invoke, selectedCompletionInfo: undefined };
    const result = await provider.provideInlineCompletionItems(document, position, context, token);
    return result?.items ?? [];
  },

  runCommand(id: string, ...args: unknown[]): Promise<unknown> {
    return Promise.resolve(editor.commands.get(id)?.(...args));
  },

  /** Waits until `isSo` holds; looked at whenever the extension writes to the screen, the log or a document. */
  async until(what: string, isSo: () => boolean, timeoutMs = 900_000): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      while (!isSo()) {
        await once(changed, "change", { signal });
      }
    } catch {
      const state = {
        statusBar: editor.statusBar.text,
        tooltip: editor.statusBar.tooltip?.value,
        errors: editor.errors,
      };
      throw new Error(`Waited in vain until ${what}: ${JSON.stringify(state)}\n${editor.log.slice(-20).join("\n")}`);
    }
  },
};

/** Announces each write to one of the object's fields. */
function watched<T extends object>(target: T): T {
  return new Proxy(target, {
    set(object, key, value) {
      const done = Reflect.set(object, key, value);
      changed.emit("change");
      return done;
    },
  });
}

function logger(level: string): (...parts: unknown[]) => void {
  return (...parts) => {
    editor.log.push(`${level}: ${parts.join(" ")}`);
    changed.emit("change");
  };
}

function showMessage(message: string): Promise<undefined> {
  editor.errors.push(message);
  changed.emit("change");
  return Promise.resolve(undefined);
}

function configuration(prefix: string | undefined) {
  const at = (key: string): unknown => {
    const full = prefix === undefined ? key : `${prefix}.${key}`;
    return full === "greencode" ? editor.settings : editor.settings[full.replace(/^greencode\./, "")];
  };
  return {
    get: at,
    inspect: () => undefined,
    update: (key: string, value: unknown) => {
      editor.changeSetting(key.replace(/^greencode\./, ""), value);
      return Promise.resolve();
    },
  };
}

function registerCommand(id: string, run: (...args: unknown[]) => unknown) {
  if (editor.commands.has(id)) {
    throw new Error(`command '${id}' already exists`);
  }
  editor.commands.set(id, run);
  return { dispose: () => editor.commands.delete(id) };
}

function executeCommand(id: string, ...args: unknown[]): Promise<unknown> {
  if (id === "markdown.showPreview") {
    const uri = args[0] as Uri;
    editor.previews.set(uri.path, editor.contentProvider?.provideTextDocumentContent(uri) ?? "");
    changed.emit("change");
  }
  return editor.runCommand(id, ...args);
}

function setDecorations({ id }: { id: string }, options: { range: object }[]): void {
  editor.colours.set(id, options);
}

const outputChannel = {
  logLevel: 3,
  onDidChangeLogLevel: never,
  ...Object.fromEntries(["trace", "debug", "info", "warn", "error", "append", "appendLine"].map((l) => [l, logger(l)])),
  show() {},
  dispose() {},
};

const known: Record<string | symbol, unknown> = {
  __esModule: true,
  version: "1.91.0",
  Position,
  Range,
  Uri,
  MarkdownString,
  ThemeColor,
  InlineCompletionItem,
  InlineCompletionList,
  InlineCompletionTriggerKind,
  CancellationTokenSource,
  EventEmitter: Emitter,
  LogLevel: { Off: 0, Trace: 1, Debug: 2, Info: 3, Warning: 4, Error: 5 },
  DecorationRangeBehavior: { ClosedClosed: 1 },
  ViewColumn: { Active: -1 },
  StatusBarAlignment: { Left: 1, Right: 2 },
  ConfigurationTarget: { Global: 1, Workspace: 2 },
  env: { appName: "vscode mock", language: "en" },
  extensions: { getExtension: () => undefined, onDidChange: never },
  commands: { registerCommand, executeCommand },
  languages: {
    match: (selector: { scheme?: string; language?: string }[], document: { uri: Uri; languageId: string }) =>
      Number(
        [selector]
          .flat()
          .some(
            ({ scheme, language }) =>
              (scheme ?? document.uri.scheme) === document.uri.scheme &&
              (language ?? document.languageId) === document.languageId,
          ),
      ),
    registerInlineCompletionItemProvider: (_selector: unknown, provider: InlineCompletionProvider) => {
      editor.providers.add(provider);
      return { dispose: () => editor.providers.delete(provider) };
    },
  },
  window: {
    createOutputChannel: () => outputChannel,
    createStatusBarItem: (id: string) => {
      const item = watched(newStatusBarItem());
      if (id === "greencode.meter") {
        editor.statusBar = item;
      } else {
        editor.profile = item;
      }
      return item;
    },
    createWebviewPanel: () => ({
      webview: {
        set html(html: string) {
          editor.page = html;
        },
      },
      reveal() {},
      onDidDispose: never,
      dispose() {},
    }),
    createTextEditorDecorationType: ({ color }: { color: ThemeColor }) => ({ id: color.id, dispose() {} }),
    get activeTextEditor() {
      return editor.active && { document: editor.active, setDecorations };
    },
    showSaveDialog: ({ defaultUri }: { defaultUri: Uri }) => Promise.resolve(defaultUri),
    showErrorMessage: showMessage,
    showWarningMessage: showMessage,
    showInformationMessage: showMessage,
    onDidChangeActiveTextEditor: never,
    onDidChangeVisibleTextEditors: never,
    visibleTextEditors: [],
    tabGroups: { all: [], onDidChangeTabs: never },
  },
  workspace: {
    isTrusted: true,
    fs: {
      writeFile: (uri: Uri, content: Uint8Array) => {
        editor.saved.set(uri.path, Buffer.from(content).toString());
        return Promise.resolve();
      },
    },
    textDocuments: openedDocuments,
    notebookDocuments: [],
    workspaceFolders: undefined,
    getConfiguration: configuration,
    onDidOpenTextDocument: events.openDocument.event,
    onDidCloseTextDocument: events.closeDocument.event,
    onDidChangeTextDocument: events.changeDocument.event,
    onDidChangeConfiguration: events.changeConfiguration.event,
    registerTextDocumentContentProvider: (_scheme: string, provider: typeof editor.contentProvider) => {
      editor.contentProvider = provider;
      return { dispose() {} };
    },
    ...Object.fromEntries(
      [
        "onDidGrantWorkspaceTrust",
        "onDidChangeWorkspaceFolders",
        "onDidSaveTextDocument",
        "onWillSaveTextDocument",
        "onDidOpenNotebookDocument",
        "onDidCloseNotebookDocument",
        "onDidChangeNotebookDocument",
        "onDidSaveNotebookDocument",
        "onDidCreateFiles",
        "onDidRenameFiles",
        "onDidDeleteFiles",
        "onWillCreateFiles",
        "onWillRenameFiles",
        "onWillDeleteFiles",
      ].map((name) => [name, never]),
    ),
  },
};

// Everything else is a class or an enumeration that the language client names but does not use here.
const vscode = new Proxy(known, { get: (names, name) => names[name] ?? (names[name] = class {}) });

/** From here on `require("vscode")` yields the mock. */
export function installVscodeMock(): void {
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = loader._load.bind(loader);
  loader._load = (request, ...rest) => (request === "vscode" ? vscode : load(request, ...rest));
}
