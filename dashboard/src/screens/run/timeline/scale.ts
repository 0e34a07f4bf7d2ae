// Time on a line. Long stretches in which nothing is done can be squeezed: a run that slept for a week and worked for a
// second is mostly sleep.

export interface Span {
  from: number;
  to: number;
}

export interface Break extends Span {
  /** Where it lies on the line, from 0 to 1. */
  left: number;
  right: number;
}

export interface Scale {
  from: number;
  to: number;
  /** Where a moment lies on the line, from 0 to 1. */
  place: (at: number) => number;
  /** Which moment lies there. */
  moment: (place: number) => number;
  /** What was squeezed. */
  breaks: Break[];
  /** How many times longer the line would be, were nothing squeezed. */
  gain: number;
}

/** A gap is squeezed to this part of the time in which something was done… */
const SQUEEZED = 0.06;
/** …and to no less than this part of the whole. */
const LEAST = 0.0005;

/** The stretches of time that are covered by at least one span, in order. */
export function union(spans: readonly Span[]): Span[] {
  const sorted = [...spans].sort((a, b) => a.from - b.from);
  const joined: Span[] = [];
  for (const { from, to } of sorted) {
    const last = joined.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return joined;
}

interface Piece extends Span {
  weight: number;
  isBreak: boolean;
}

export function scale(whole: Span, busy: readonly Span[], isSqueezed: boolean): Scale {
  const length = Math.max(1, whole.to - whole.from);
  const pieces = isSqueezed ? cut(whole, union(busy), length) : [{ ...whole, weight: length, isBreak: false }];
  const weight = pieces.reduce((sum, piece) => sum + piece.weight, 0) || 1;
  const starts: number[] = [];
  let sum = 0;
  for (const piece of pieces) {
    starts.push(sum / weight);
    sum += piece.weight;
  }
  const end = (at: number) => starts[at + 1] ?? 1;
  const breaks = pieces.flatMap((piece, at) => (piece.isBreak ? [{ from: piece.from, to: piece.to, left: starts[at] ?? 0, right: end(at) }] : []));
  const place = (moment: number): number => {
    const at = Math.max(0, lastAtOrBefore(pieces, moment));
    const piece = pieces[at];
    if (!piece) return 0;
    const part = piece.to > piece.from ? (Math.min(Math.max(moment, piece.from), piece.to) - piece.from) / (piece.to - piece.from) : 0;
    return (starts[at] ?? 0) + part * (end(at) - (starts[at] ?? 0));
  };
  const moment = (place: number): number => {
    const at = Math.max(0, starts.findLastIndex((start) => start <= place));
    const piece = pieces[at];
    const room = end(at) - (starts[at] ?? 0);
    return piece ? piece.from + (room > 0 ? (place - (starts[at] ?? 0)) / room : 0) * (piece.to - piece.from) : whole.from;
  };
  return { ...whole, place, moment, breaks, gain: length / weight };
}

/** The whole in pieces: busy ones, and gaps, of which the long ones weigh little. */
function cut(whole: Span, busy: readonly Span[], length: number): Piece[] {
  const work = busy.reduce((sum, { from, to }) => sum + to - from, 0);
  const most = Math.max(work * SQUEEZED, length * LEAST);
  const pieces: Piece[] = [];
  const add = (from: number, to: number, isIdle: boolean) => {
    if (to <= from) return;
    const isBreak = isIdle && to - from > 2 * most;
    const last = pieces.at(-1);
    if (last && !last.isBreak && !isBreak) {
      last.to = to;
      last.weight += to - from;
    } else {
      pieces.push({ from, to, weight: isBreak ? most : to - from, isBreak });
    }
  };
  let at = whole.from;
  for (const { from, to } of busy) {
    add(at, Math.min(from, whole.to), true);
    add(Math.max(at, from), Math.min(to, whole.to), false);
    at = Math.max(at, to);
  }
  add(at, whole.to, true);
  return pieces;
}

function lastAtOrBefore(pieces: readonly Piece[], moment: number): number {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((pieces[middle]?.from ?? 0) <= moment) low = middle;
    else high = middle - 1;
  }
  return low;
}

const STEPS = [1, 2, 5];

/** Moments to write on the axis: even ones, or what lies at even places when something was squeezed. */
export function ticks(of: Scale, count: number): number[] {
  if (of.breaks.length > 0) return Array.from({ length: count }, (_, at) => of.moment((at + 0.5) / count));
  const length = of.to - of.from;
  const rough = Math.max(1, length / count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((one) => one * power >= rough) ?? 10) * power;
  const found: number[] = [];
  for (let at = step; at < length * 0.97; at += step) found.push(of.from + at);
  return found;
}
