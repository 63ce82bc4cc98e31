/** The field of answers that names the position at which the flag last changed. */
export const REVISION = 'Turnout-Flag-Revision';

/** Whether position `a` (`213`, or `213+2`) is later than `b`. What is not a position is later than nothing. */
export function isLater(a: string | null, b: string | null): boolean {
  const left = parts(a);
  const right = parts(b) ?? [-1, 0];
  return left !== null && (left[0] - right[0] || left[1] - right[1]) > 0;
}

function parts(position: string | null): [number, number] | null {
  const found = position?.match(/^(\d{1,15})(?:\+(\d{1,15}))?$/);
  return found ? [Number(found[1]), Number(found[2] ?? 0)] : null;
}
