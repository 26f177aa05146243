/** The status-bar item: the joules of the last completion, and how the server fares. */

import type { Energy } from "./energy";
import { meterView, TOOLTIP_COMMANDS, type MeterState } from "./meterView";
import { NOT_HEARD_OF, type Lifecycle, type ServerStatus } from "./status";
import { createStatusBarItem, markdown, themeColor } from "./vscodeApi";

export class Meter {
  private readonly item = createStatusBarItem("greencode.meter", "greencode", "greencode.showMenu", 100);
  private state: MeterState = { lifecycle: { phase: "off" }, status: NOT_HEARD_OF, energy: undefined };

  constructor() {
    this.render();
    this.item.show();
  }

  get phase(): Lifecycle["phase"] {
    return this.state.lifecycle.phase;
  }

  get isPaused(): boolean {
    return this.phase === "running" && this.state.status.kind === "inactive";
  }

  setLifecycle(lifecycle: Lifecycle): void {
    // A new server starts with a clean slate; what it said while it was starting stays.
    const status = lifecycle.phase === "starting" ? NOT_HEARD_OF : this.state.status;
    this.update({ lifecycle, status });
  }

  setStatus(status: ServerStatus): void {
    this.update({ status });
  }

  /** The rest of a suggestion costs nothing: what the suggestion cost stays on the screen. */
  setEnergy(energy: Energy): void {
    const last = this.state.energy;
    this.update({ energy: energy.cached && last !== undefined ? { ...last, today: energy.today } : energy });
  }

  dispose(): void {
    this.item.dispose();
  }

  private update(change: Partial<MeterState>): void {
    this.state = { ...this.state, ...change };
    this.render();
  }

  private render(): void {
    const view = meterView(this.state);
    this.item.text = view.text;
    this.item.tooltip = markdown(view.tooltip, TOOLTIP_COMMANDS);
    this.item.backgroundColor = view.background && themeColor(`statusBarItem.${view.background}Background`);
    this.item.accessibilityInformation = { label: view.accessibleLabel, role: "button" };
  }
}
