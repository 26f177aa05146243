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
import { needsRestart, readSettings } from "./settings";
import { activePythonInterpreter } from "./vscodeApi";

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
    vscode.workspace.onDidGrantWorkspaceTrust(() => {
      if (meter.phase === "failed") {
        void created.restart();
      }
    }),
  );
  // Not awaited: the editor need not wait for the server to start.
  void created.restart();
}

export function deactivate(): Promise<void> | undefined {
  return client?.dispose();
}
