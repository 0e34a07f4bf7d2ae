/** Rows beyond the edge that are on the page, too: so that a quick scroll shows no gap. */
const BEYOND = 12;

/** Which rows are in sight, the last not included. It moves in steps, so that not every pixel is news. */
export function inSight(top: number, room: number, height: number, count: number): { from: number; to: number } {
  const step = BEYOND / 2;
  const first = Math.floor(Math.max(0, top) / height / step) * step;
  const rows = Math.ceil(room / height) + step;
  const from = Math.max(0, Math.min(first - BEYOND, count - 1));
  return { from, to: Math.min(count, first + rows + BEYOND) };
}
