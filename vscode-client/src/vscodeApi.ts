/** The calls into the editor that have a say in what the extension does; tests put a fake behind them. */

import * as vscode from "vscode";

export function readSection(section: string): Record<string, unknown> {
  return vscode.workspace.getConfiguration().get<Record<string, unknown>>(section) ?? {};
}

/** Writes the setting where it is set now: in the workspace if there, else for the user. */
export async function writeSetting(key: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration();
  const inWorkspace = configuration.inspect(key)?.workspaceValue !== undefined;
  await configuration.update(
    key,
    value,
    inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global,
  );
}

export function openSettings(query: string): Thenable<unknown> {
  return vscode.commands.executeCommand("workbench.action.openSettings", query);
}

export function createStatusBarItem(id: string, name: string, command: string): vscode.StatusBarItem {
  const item = vscode.window.createStatusBarItem(id, vscode.StatusBarAlignment.Right, 100);
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

export function newEmitter<T>(): vscode.EventEmitter<T> {
  return new vscode.EventEmitter<T>();
}

export async function previewMarkdown(scheme: string, path: string): Promise<vscode.Uri> {
  const uri = vscode.Uri.from({ scheme, path });
  await vscode.commands.executeCommand("markdown.showPreview", uri);
  return uri;
}

export function pick<T extends vscode.QuickPickItem>(items: T[], title: string): Thenable<T | undefined> {
  return vscode.window.showQuickPick(items, { title });
}

export function showError(message: string, ...buttons: string[]): Thenable<string | undefined> {
  return vscode.window.showErrorMessage(message, ...buttons);
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
