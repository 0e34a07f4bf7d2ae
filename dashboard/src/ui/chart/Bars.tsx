import { useId, useState, type KeyboardEvent, type PointerEvent } from "react";
import "./chart.css";

export interface Series {
  name: string;
  tone: string;
  values: readonly number[];
}

interface Props {
  /** Stacked, the first at the bottom. */
  series: readonly Series[];
  /** What a bar is of, in words. */
  at: (index: number) => string;
  /** What stands below the axis: at these bars. */
  marks: readonly { index: number; text: string }[];
  label: string;
  format: (value: number) => string;
}

const WIDTH = 600;
const HEIGHT = 120;

/** Counts over time as stacked bars. The arrow keys walk them; what is pointed at is told below. */
export function Bars({ series, at, marks, label, format }: Props) {
  const [shown, setShown] = useState<number | null>(null);
  const name = useId();
  const count = series[0]?.values.length ?? 0;
  const totals = Array.from({ length: count }, (_, index) => series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
  const top = nice(Math.max(1, ...totals));
  const step = WIDTH / Math.max(1, count);
  const point = (event: PointerEvent<SVGSVGElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    setShown(Math.min(count - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * count))));
  };
  const walk = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setShown(Math.min(count - 1, Math.max(0, (shown ?? count) + by)));
  };
  return (
    <figure className="chart">
      <div className="chart-room">
        <span className="chart-top num" aria-hidden="true">{format(top)}</span>
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label} aria-describedby={name} tabIndex={0}
          onPointerMove={point} onPointerLeave={() => { setShown(null); }} onKeyDown={walk}>
          {[0, 0.5].map((part) => <line key={part} className="chart-grid" x1={0} x2={WIDTH} y1={HEIGHT * part + 0.5} y2={HEIGHT * part + 0.5} />)}
          {shown !== null && <rect className="chart-at" x={shown * step} y={0} width={step} height={HEIGHT} />}
          {series.map((one, layer) => (
            <path key={one.name} className="chart-bars" data-tone={one.tone}
              d={one.values.map((value, index) => (value > 0 ? bar(index * step, step, below(series, layer, index), value, top) : "")).join("")} />
          ))}
          <line className="chart-base" x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
        </svg>
      </div>
      <div className="chart-marks num" aria-hidden="true">
        {marks.map(({ index, text }) => <span key={index} style={{ left: `${((index + 0.5) / Math.max(1, count)) * 100}%` }}>{text}</span>)}
      </div>
      <figcaption id={name} className="chart-says small" aria-live={shown === null ? "off" : "polite"}>
        {series.map((one) => (
          <span key={one.name}><span className="chart-key" data-tone={one.tone} />{one.name} <strong className="num">{format(shown === null ? total(one.values) : (one.values[shown] ?? 0))}</strong></span>
        ))}
        {shown !== null && <span className="quiet">{at(shown)}</span>}
      </figcaption>
    </figure>
  );
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function below(series: readonly Series[], layer: number, index: number): number {
  return series.slice(0, layer).reduce((sum, { values }) => sum + (values[index] ?? 0), 0);
}

function bar(x: number, step: number, from: number, value: number, top: number): string {
  const gap = Math.min(2, step * 0.2);
  const y = HEIGHT - ((from + value) / top) * HEIGHT;
  // What happened once among thousands is seen, too.
  const height = Math.max(1.5, (value / top) * HEIGHT);
  return `M${(x + gap / 2).toFixed(1)} ${y.toFixed(1)}h${(step - gap).toFixed(1)}v${height.toFixed(1)}h-${(step - gap).toFixed(1)}z`;
}

/** The next number that is easy to read. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((one) => one * power >= value) ?? 10) * power;
}
