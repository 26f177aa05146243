/** Read-only Markdown documents: reports and install steps, opened as a preview. */

import type * as vscode from "vscode";
import { newEmitter, previewMarkdown } from "./vscodeApi";

export const DOCUMENT_SCHEME = "greencode";

export const INSTALL_STEPS = `# greencode: install the language server

The extension talks to a language server that runs on your own machine, a Python program (3.11 or newer).

1. Install it, in greencode's folder: \`pip install .\` (or \`pipx install .\`, \`uv tool install .\`). What is called
   greencode on PyPI is another project.
2. Fetch the model once, 93 MB: \`greencode models pull smollm2-135m\`.
3. See whether everything works: \`greencode doctor\`.
4. Run **greencode: Restart** from the command palette.

The extension looks for the server in this order:

1. the setting \`greencode.path\`: a path to \`greencode-lsp\`;
2. the setting \`greencode.interpreter\`: a Python that has the package;
3. \`greencode-lsp\` on the PATH;
4. the interpreter chosen in the Python extension, if that is installed.
`;

export class MarkdownDocuments implements vscode.TextDocumentContentProvider {
  private readonly texts = new Map<string, string>();
  private readonly changed = newEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  async show(name: string, text: string): Promise<void> {
    const path = `/${name}.md`;
    this.texts.set(path, text);
    this.changed.fire(await previewMarkdown(DOCUMENT_SCHEME, path));
  }
}
