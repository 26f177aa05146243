/** Numbers with their units, as people read them: two significant digits, `?` for what is not known. */

/** Under a tenth of the unit, thousandths of it: 0.084 and "J" give "84 mJ". */
export function formatQuantity(value: number | null, unit: string): string {
  if (value === null) {
    return `? ${unit}`;
  }
  if (value !== 0 && Math.abs(value) < 0.1) {
    return `${twoDigits(value * 1000)} m${unit}`;
  }
  return `${twoDigits(value)} ${unit}`;
}

/** A saving of 41 % is "-41%", a loss of 5 % is "+5%", and nothing to tell is "". */
export function formatSaving(percent: number | null): string {
  if (percent === null || percent === 0) {
    return "";
  }
  return percent > 0 ? `-${percent}%` : `+${-percent}%`;
}

function twoDigits(value: number): string {
  return Math.abs(value) >= 10 || value === 0 ? value.toFixed(0) : Number(value.toFixed(6)).toPrecision(2);
}
