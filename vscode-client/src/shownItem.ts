/** A suggestion on the screen, followed through the edits that may accept parts of it. */

/** An inline completion item as the protocol has it. */
export interface WireItem {
  insertText: string;
  range: { start: WirePosition; end: WirePosition };
  command?: { title: string; command: string; arguments?: unknown[] };
}

interface WirePosition {
  line: number;
  character: number;
}

/** An edit of the document; offsets and lengths in UTF-16 units. */
export interface Edit {
  rangeOffset: number;
  rangeLength: number;
  text: string;
}

/** "accepted" when a part was taken at once, "typed" when the user typed the same, "gone" when neither or to the end. */
export type Progress = { kind: "accepted"; length: number; complete: boolean } | { kind: "typed" } | { kind: "gone" };

/**
 * The editor's stable API tells of no partial acceptance, so it is inferred: an insert that continues
 * the suggestion by more than one visible character at once. Typing comes one character at a time;
 * accepting everything at once runs the item's command and is not reported here.
 */
export class ShownItem {
  private accepted = false;

  /** `start`: offset of the item's range in the document. `present`: how much of the text stands there already. */
  constructor(
    readonly item: WireItem,
    private readonly start: number,
    private present: number,
  ) {}

  follow(edit: Edit): Progress {
    const { insertText } = this.item;
    // After a partial acceptance the editor goes on replacing from where the first suggestion began.
    const before = Math.max(0, this.start - edit.rangeOffset);
    const from = Math.max(0, edit.rangeOffset - this.start);
    const inserted = edit.text.slice(before).replaceAll("\r\n", "\n");
    const present = from + inserted.length;
    const continues =
      from <= this.present &&
      from + edit.rangeLength - before >= this.present &&
      present > this.present &&
      insertText.startsWith(inserted, from);
    if (!continues) {
      return { kind: "gone" };
    }
    const added = insertText.slice(this.present, present);
    const complete = present === insertText.length;
    this.present = present;
    if (added.trim().length < 2) {
      return complete ? { kind: "gone" } : { kind: "typed" };
    }
    if (complete && !this.accepted) {
      return { kind: "gone" };
    }
    this.accepted = true;
    return { kind: "accepted", length: present, complete };
  }
}
