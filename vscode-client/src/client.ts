/** The language client and its server: started, watched, restarted, and stopped for good. */

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { LogOutputChannel } from "vscode";
import {
  CloseAction,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type LanguageClientOptions,
  type Middleware,
} from "vscode-languageclient/node";
import { coalesce } from "./coalesce";
import { CrashBudget } from "./crashBudget";
import { parseEnergy, type Energy } from "./energy";
import { locateServer, ServerNotFound, type Machine, type ServerCommand } from "./serverLocation";
import { endServer, spawnServer, type ServerProcess } from "./serverProcess";
import { readSettings, SECTION } from "./settings";
import { parseStatus, type Lifecycle, type ServerStatus } from "./status";
import { readSection } from "./vscodeApi";

const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];
// Together within the five seconds that the editor gives an extension to shut down.
const SHUTDOWN_MS = 2000;
const EXIT_MS = 1500;

/** The server gets the settings that this extension itself goes by: it is told that some changed, and asks for them. */
const SETTINGS: Middleware["workspace"] = {
  configuration: ({ items }) => items.map(({ section }) => (section === SECTION ? readSection(SECTION) : null)),
  didChangeConfiguration: (_sections, next) => next(undefined),
};

/** Who hears what the server says and how it fares. */
export interface Listener {
  lifecycle: (lifecycle: Lifecycle) => void;
  status: (status: ServerStatus) => void;
  energy: (energy: Energy) => void;
  serverNotFound: (message: string) => void;
}

export class Client {
  private languageClient: LanguageClient | undefined;
  private server: ServerProcess | undefined;
  private disposed = false;
  private readonly replace = coalesce(() => this.replaceServer());
  private readonly crashes = new CrashBudget(3, 3 * 60_000);

  constructor(
    private readonly log: LogOutputChannel,
    private readonly machine: Machine,
    private readonly middleware: Middleware,
    private readonly listener: Listener,
  ) {}

  /** Makes the running server fit the settings: stops the old one, starts a new one unless turned off. */
  restart(): Promise<void> {
    // A server that hangs while it starts would be waited for without end.
    if (this.server !== undefined && !this.languageClient?.isRunning()) {
      void endServer(this.server, 0);
    }
    return this.replace();
  }

  /** Runs one of the server's commands. */
  execute(command: string, ...args: unknown[]): Promise<unknown> {
    if (!this.languageClient?.isRunning()) {
      return Promise.reject(new Error("The greencode server is not running."));
    }
    return this.languageClient.sendRequest(ExecuteCommandRequest.type, { command, arguments: args });
  }

  /** Tells the server something it may miss: nothing happens where no server runs. */
  notify(method: string, params: object): void {
    if (this.languageClient?.isRunning()) {
      this.languageClient
        .sendNotification(method, params)
        .catch((error: unknown) => this.log.warn(`${method} was not sent: ${oneLine(error)}`));
    }
  }

  /** Nothing of ours runs any more when this is done, and nothing starts again. */
  async dispose(): Promise<void> {
    this.disposed = true;
    await this.stop();
  }

  private async replaceServer(): Promise<void> {
    await this.stop();
    const settings = readSettings();
    if (this.disposed || !settings.enabled) {
      this.listener.lifecycle({ phase: "off" });
      return;
    }
    this.listener.lifecycle({ phase: "starting" });
    try {
      await this.start(await locateServer(settings, this.machine), settings.languages);
      this.listener.lifecycle({ phase: "running" });
    } catch (error) {
      await this.stop();
      if (error instanceof ServerNotFound) {
        this.fail(error.message);
        this.listener.serverNotFound(error.message);
      } else {
        this.fail(`The server did not start: ${oneLine(error)}. See the log.`);
      }
    }
  }

  private async start(command: ServerCommand, languages: string[]): Promise<void> {
    const client = new LanguageClient(SECTION, "greencode", () => this.spawn(command), this.options(languages));
    client.onNotification("greencode/energy", this.reader("greencode/energy", parseEnergy, this.listener.energy));
    client.onNotification("greencode/status", this.reader("greencode/status", parseStatus, this.listener.status));
    this.languageClient = client;
    await client.start();
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped && client === this.languageClient) {
        this.crashed();
      }
    });
  }

  private async spawn(command: ServerCommand): Promise<ServerProcess> {
    const server = await spawnServer(command);
    this.server = server;
    this.log.info(`Server started: ${[command.command, ...command.args].join(" ")} (process ${server.pid})`);
    server.once("exit", (code, signal) => this.log.info(`Server process ${server.pid} ended: ${signal ?? code}`));
    if (this.disposed) {
      await endServer(server, 0);
    }
    return server;
  }

  private options(languages: string[]): LanguageClientOptions {
    return {
      documentSelector: SCHEMES.flatMap((scheme) =>
        languages.length === 0 ? [{ scheme }] : languages.map((language) => ({ scheme, language })),
      ),
      initializationOptions: () => readSection(SECTION),
      outputChannel: this.log,
      stdioOptions: { stdout: logLines, stderr: logLines },
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      // Restarts are ours, so that all of them go the one way through `restart`.
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
      middleware: { ...this.middleware, workspace: SETTINGS },
    };
  }

  private reader<T>(
    name: string,
    parse: (payload: unknown) => T,
    listen: (value: T) => void,
  ): (payload: unknown) => void {
    return (payload) => {
      try {
        listen(parse(payload));
      } catch (error) {
        this.log.warn(`${name} ignored: ${oneLine(error)}`);
      }
    };
  }

  private crashed(): void {
    if (this.crashes.spend()) {
      this.log.warn("The server ended unasked: starting it again.");
      void this.restart();
    } else {
      this.fail("The server keeps crashing and was not started again: see the log.");
      void this.stop();
    }
  }

  private fail(message: string): void {
    this.log.error(message);
    this.listener.lifecycle({ phase: "failed", message });
  }

  private async stop(): Promise<void> {
    const { languageClient, server } = this;
    this.languageClient = undefined;
    this.server = undefined;
    if (languageClient?.isRunning()) {
      await languageClient
        .stop(SHUTDOWN_MS)
        .catch((error: unknown) => this.log.warn(`The server did not shut down: ${oneLine(error)}`));
    }
    if (server !== undefined) {
      await endServer(server, EXIT_MS);
    }
  }
}

/** A server logs to stderr whatever the level: a line there is no error yet. */
function logLines(input: Readable, log: LogOutputChannel): void {
  createInterface({ input }).on("line", (line) => log.info(line));
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0];
}
