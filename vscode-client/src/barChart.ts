/** A bar chart as SVG, in the colours of the editor's theme. */

export interface Bar {
  /** Written below the bar. */
  label: string;
  /** Shown when the pointer rests on it, and read aloud. */
  title: string;
  /** From the bottom up, in the unit of the chart. */
  parts: { value: number; kind: "used" | "saved" }[];
}

const WIDTH = 640;
const HEIGHT = 150;
const LABEL_HEIGHT = 18;
const WIDEST_STEP = 64;

/** Labels are thinned out so that they do not touch. */
export function barChart(title: string, bars: Bar[]): string {
  if (bars.length === 0) {
    return `<p class="none">Nothing yet.</p>`;
  }
  const highest = Math.max(...bars.map(total), Number.MIN_VALUE);
  const step = Math.min(WIDTH / bars.length, WIDEST_STEP);
  const labelEvery = Math.ceil(44 / step);
  const drawn = bars.map((bar, index) => drawBar(bar, index * step, step, highest, index % labelEvery === 0));
  const size = `viewBox="0 0 ${WIDTH} ${HEIGHT + LABEL_HEIGHT}"`;
  return `<svg ${size} role="img" aria-label="${escapeHtml(title)}">${drawn.join("")}</svg>`;
}

export function escapeHtml(value: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return value.replace(/[&<>"']/g, (character) => entities[character]);
}

function total({ parts }: Bar): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}

function drawBar(bar: Bar, left: number, step: number, highest: number, labelled: boolean): string {
  let top = HEIGHT;
  const rectangles = bar.parts.map(({ value, kind }) => {
    const height = (value / highest) * HEIGHT;
    top -= height;
    const place = [left + step * 0.1, top, step * 0.8, height].map(rounded);
    return `<rect class="${kind}" x="${place[0]}" y="${place[1]}" width="${place[2]}" height="${place[3]}"/>`;
  });
  const middle = rounded(left + step / 2);
  const label = labelled
    ? `<text x="${middle}" y="${HEIGHT + 13}" text-anchor="middle">${escapeHtml(bar.label)}</text>`
    : "";
  return `<g><title>${escapeHtml(bar.title)}</title>${rectangles.join("")}${label}</g>`;
}

function rounded(value: number): string {
  return String(Number(value.toFixed(1)));
}
