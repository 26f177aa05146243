/** Wires the parts together; everything else lives in its own file. */

import * as vscode from "vscode";
import { Client } from "./client";
import { commands, offerInstallation } from "./commands";
import { Dashboard } from "./dashboard";
import { DepthColours } from "./depthColours";
import { DOCUMENT_SCHEME, MarkdownDocuments } from "./documents";
import { GhostText } from "./ghostText";
import { Meter } from "./meter";
import { ProfileItem } from "./profileItem";
import { thisMachine } from "./serverLocation";
import { needsRestart, readSettings, SECTION } from "./settings";
import { activePythonInterpreter, isTrusted, offerTrust, workspaceSettingsFiles } from "./vscodeApi";
import { ignoredMessage, restrictedIn } from "./workspaceTrust";

/** Remembers, for a folder, which of its settings the user knows not to be used. */
const IGNORED = "ignoredSettings";

let client: Client | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("greencode", { log: true });
  const meter = new Meter();
  const profileItem = new ProfileItem();
  const documents = new MarkdownDocuments();
  const ghostText = new GhostText(
    () => readSettings().enabled,
    (method, params) => created.notify(method, params),
  );
  const created = new Client(log, thisMachine(activePythonInterpreter), ghostText, {
    lifecycle: (lifecycle) => meter.setLifecycle(lifecycle),
    status: (status) => meter.setStatus(status),
    energy: (energy) => meter.setEnergy(energy),
    serverNotFound: (message) => void offerInstallation(message, documents),
  });
  client = created;
  const dashboard = new Dashboard(created);
  const depthColours = new DepthColours(created, () => ghostText.lastAccepted);

  context.subscriptions.push(
    log,
    meter,
    profileItem,
    dashboard,
    depthColours,
    vscode.workspace.registerTextDocumentContentProvider(DOCUMENT_SCHEME, documents),
    ...Object.entries(commands({ client: created, meter, documents, dashboard, depthColours, log })).map(([id, run]) =>
      vscode.commands.registerCommand(id, run),
    ),
    vscode.workspace.onDidChangeTextDocument((event) => {
      ghostText.documentChanged(event);
      depthColours.documentChanged(event.document.uri.toString());
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      profileItem.update();
      if (needsRestart(event)) {
        void created.restart();
      }
    }),
    // What was withheld may be another server or model. The editor tells of a change only where it withheld it itself.
    vscode.workspace.onDidGrantWorkspaceTrust(() => void created.restart()),
  );
  void tellWhatIsIgnored(context.workspaceState, log);
  // Not awaited: the editor need not wait for the server to start.
  void created.restart();
}

/** Says once for a folder which of its settings are not used while it is not trusted. */
async function tellWhatIsIgnored(remembered: vscode.Memento, log: vscode.LogOutputChannel): Promise<void> {
  const files = isTrusted() ? [] : await workspaceSettingsFiles();
  const ignored = [...new Set(files.flatMap((file) => restrictedIn(SECTION, file)))].sort();
  const told = remembered.get<string[]>(IGNORED, []);
  if (ignored.length > 0) {
    log.warn(ignoredMessage(ignored));
  }
  if (ignored.some((key) => !told.includes(key))) {
    await remembered.update(IGNORED, ignored);
    await offerTrust(ignoredMessage(ignored));
  }
}

export function deactivate(): Promise<void> | undefined {
  return client?.dispose();
}
