/** Colours the text that was accepted last by how deep each of its tokens was read. */

import type * as vscode from "vscode";
import type { Client } from "./client";
import { depthRanges, parseDepths, quarter } from "./depthRanges";
import type { Accepted } from "./ghostText";
import { activeEditor, decorationType, markdown, newRange, showInformation } from "./vscodeApi";

/** From shallow to deep, and last what was guessed: several such tokens were read in one run. */
const COLOURS = ["charts.green", "charts.yellow", "charts.orange", "charts.red", "charts.blue"];
const GUESSED = COLOURS.length - 1;

export class DepthColours {
  private readonly types = COLOURS.map(decorationType);
  private coloured: vscode.TextEditor | undefined;

  constructor(
    private readonly client: Client,
    private readonly lastAccepted: () => Accepted | undefined,
  ) {}

  /** Colours the text, or takes the colours away. */
  async toggle(): Promise<void> {
    if (this.coloured !== undefined) {
      this.clear();
      return;
    }
    const accepted = this.lastAccepted();
    const editor = activeEditor();
    if (accepted === undefined || editor?.document.uri.toString() !== accepted.uri) {
      showInformation("greencode: accept a suggestion in this file first.");
      return;
    }
    const depths = parseDepths(await this.client.execute("greencode.tokens", accepted.id));
    const { document } = editor;
    const ranges = depths && depthRanges(document.getText(), accepted.start, accepted.text, depths);
    if (!depths || !ranges) {
      showInformation("greencode: the text accepted last has changed since.");
      return;
    }
    this.types.forEach((type, bucket) => {
      const options = ranges
        .filter(({ exitLayer, guessed }) => (guessed ? GUESSED : quarter(exitLayer, depths.layers)) === bucket)
        .map(({ start, end, exitLayer, guessed }) => ({
          range: newRange(document.positionAt(start), document.positionAt(end)),
          hoverMessage: markdown(
            guessed
              ? `guessed, confirmed after layer ${exitLayer} of ${depths.layers}`
              : `read after layer ${exitLayer} of ${depths.layers}`,
            [],
          ),
        }));
      editor.setDecorations(type, options);
    });
    this.coloured = editor;
  }

  /** An edit would leave the colours on other text. */
  documentChanged(uri: string): void {
    if (this.coloured?.document.uri.toString() === uri) {
      this.clear();
    }
  }

  dispose(): void {
    this.types.forEach((type) => type.dispose());
  }

  private clear(): void {
    this.types.forEach((type) => this.coloured?.setDecorations(type, []));
    this.coloured = undefined;
  }
}
