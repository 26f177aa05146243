/** The calls into the editor that have a say in what the extension does; tests put a fake behind them. */

import { homedir } from "node:os";
import * as vscode from "vscode";
import { RESTRICTED, withoutTheFolders } from "./workspaceTrust";

/** All that reads settings reads them here, also on the server's behalf. */
export function readSection(section: string): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration();
  const merged = configuration.get<Record<string, unknown>>(section) ?? {};
  if (vscode.workspace.isTrusted) {
    return merged;
  }
  return withoutTheFolders(section, merged, (key) => configuration.inspect(key));
}

/** The texts of the settings files that the opened folders bring along. */
export async function workspaceSettingsFiles(): Promise<string[]> {
  const { workspaceFolders = [], workspaceFile } = vscode.workspace;
  const files = workspaceFolders.map(({ uri }) => vscode.Uri.joinPath(uri, ".vscode", "settings.json"));
  const read = async (uri: vscode.Uri): Promise<string[]> => {
    try {
      return [Buffer.from(await vscode.workspace.fs.readFile(uri)).toString()];
    } catch {
      return []; // Most folders bring none.
    }
  };
  const saved = workspaceFile !== undefined && workspaceFile.scheme !== "untitled" ? [workspaceFile] : [];
  return (await Promise.all([...files, ...saved].map(read))).flat();
}

export function isTrusted(): boolean {
  return vscode.workspace.isTrusted;
}

export async function offerTrust(message: string): Promise<void> {
  const button = "Manage Workspace Trust";
  if ((await vscode.window.showWarningMessage(message, button)) === button) {
    await vscode.commands.executeCommand("workbench.trust.manage");
  }
}

/** Writes the setting where it is set now: in the workspace if there and if that counts, else for the user. */
export async function writeSetting(key: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration();
  const counts = vscode.workspace.isTrusted || !RESTRICTED.includes(key);
  const inWorkspace = counts && configuration.inspect(key)?.workspaceValue !== undefined;
  await configuration.update(
    key,
    value,
    inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global,
  );
}

export function openSettings(query: string): Thenable<unknown> {
  return vscode.commands.executeCommand("workbench.action.openSettings", query);
}

export function createStatusBarItem(id: string, name: string, command: string, priority: number): vscode.StatusBarItem {
  const item = vscode.window.createStatusBarItem(id, vscode.StatusBarAlignment.Right, priority);
  item.name = name;
  item.command = command;
  return item;
}

/** Markdown whose links may run `commands` and no others. */
export function markdown(text: string, commands: readonly string[]): vscode.MarkdownString {
  const result = new vscode.MarkdownString(text, true);
  result.isTrusted = { enabledCommands: commands };
  return result;
}

export function themeColor(id: string): vscode.ThemeColor {
  return new vscode.ThemeColor(id);
}

/** Text in a colour of the theme. */
export function decorationType(colour: string): vscode.TextEditorDecorationType {
  const themeColour = themeColor(colour);
  return vscode.window.createTextEditorDecorationType({
    color: themeColour,
    overviewRulerColor: themeColour,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
}

export function newRange(start: vscode.Position, end: vscode.Position): vscode.Range {
  return new vscode.Range(start, end);
}

export function activeEditor(): vscode.TextEditor | undefined {
  return vscode.window.activeTextEditor;
}

export function newEmitter<T>(): vscode.EventEmitter<T> {
  return new vscode.EventEmitter<T>();
}

export async function previewMarkdown(scheme: string, path: string): Promise<vscode.Uri> {
  const uri = vscode.Uri.from({ scheme, path });
  await vscode.commands.executeCommand("markdown.showPreview", uri);
  return uri;
}

/** A page of HTML beside the editors, without scripts; its links may run `commands` and no others. */
export function openPage(id: string, title: string, commands: string[]): vscode.WebviewPanel {
  return vscode.window.createWebviewPanel(id, title, vscode.ViewColumn.Active, { enableCommandUris: commands });
}

/** Asks where to, and writes there; does nothing where the user thinks better of it. */
export async function saveText(name: string, text: string): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(homedir());
  const target = await vscode.window.showSaveDialog({ defaultUri: vscode.Uri.joinPath(folder, name) });
  if (target !== undefined) {
    await vscode.workspace.fs.writeFile(target, Buffer.from(text));
  }
}

export function pick<T extends vscode.QuickPickItem>(items: T[], title: string): Thenable<T | undefined> {
  return vscode.window.showQuickPick(items, { title });
}

export function showError(message: string, ...buttons: string[]): Thenable<string | undefined> {
  return vscode.window.showErrorMessage(message, ...buttons);
}

export function showInformation(message: string): void {
  void vscode.window.showInformationMessage(message);
}

export async function confirm(question: string, button: string): Promise<boolean> {
  return (await vscode.window.showWarningMessage(question, { modal: true }, button)) === button;
}

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  environments: {
    getActiveEnvironmentPath(): { path: string };
    resolveEnvironment(environment: object): Promise<{ executable: { uri: vscode.Uri | undefined } } | undefined>;
  };
}

/** The Python extension may choose an interpreter inside the folder: not before the user trusts that. */
export async function activePythonInterpreter(): Promise<string | undefined> {
  const python = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  if (python === undefined || !vscode.workspace.isTrusted) {
    return undefined;
  }
  const { environments } = await python.activate();
  const resolved = await environments.resolveEnvironment(environments.getActiveEnvironmentPath());
  return resolved?.executable.uri?.fsPath;
}
