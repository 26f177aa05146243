/** The status-bar item that names the profile and lets the user pick another. */

import { readSettings } from "./settings";
import { createStatusBarItem } from "./vscodeApi";

export class ProfileItem {
  private readonly item = createStatusBarItem("greencode.profile", "greencode profile", "greencode.selectProfile", 99);

  constructor() {
    this.update();
  }

  /** Shows what the settings say; nothing while greencode is off. */
  update(): void {
    const { enabled, profile } = readSettings();
    this.item.text = `$(dashboard) ${profile}`;
    this.item.tooltip = "greencode: how much energy a completion may take. Click to pick another profile.";
    this.item.accessibilityInformation = { label: `greencode profile ${profile}`, role: "button" };
    if (enabled) {
      this.item.show();
    } else {
      this.item.hide();
    }
  }

  dispose(): void {
    this.item.dispose();
  }
}
