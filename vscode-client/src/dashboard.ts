/** The panel with the dashboard, and the energy record as a file. */

import { randomBytes } from "node:crypto";
import type * as vscode from "vscode";
import type { Client } from "./client";
import { parseDashboard } from "./dashboardData";
import { dashboardPage, PAGE_COMMANDS } from "./dashboardPage";
import { openPage, saveText } from "./vscodeApi";

export class Dashboard {
  private panel: vscode.WebviewPanel | undefined;

  constructor(private readonly client: Client) {}

  /** Opens the panel, or brings it to the front with new numbers. */
  async show(): Promise<void> {
    const page = await this.page();
    if (this.panel === undefined) {
      this.panel = openPage("greencode.dashboard", "greencode: energy", PAGE_COMMANDS);
      this.panel.onDidDispose(() => (this.panel = undefined));
    } else {
      this.panel.reveal();
    }
    this.panel.webview.html = page;
  }

  /** Lets the user save every completion's numbers. */
  async exportCsv(): Promise<void> {
    await saveText("greencode-energy.csv", String(await this.client.execute("greencode.csv")));
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private async page(): Promise<string> {
    const data = parseDashboard(await this.client.execute("greencode.dashboard"));
    return dashboardPage(data, randomBytes(16).toString("hex"));
  }
}
