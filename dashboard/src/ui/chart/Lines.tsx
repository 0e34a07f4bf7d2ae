import { nice } from "./Bars";
import "./chart.css";

interface Props {
  series: readonly { name: string; tone: string; values: readonly (number | null)[] }[];
  label: string;
  format: (value: number) => string;
}

const WIDTH = 600;
const HEIGHT = 120;

/** Values over time as lines. Where there is none the line is broken. */
export function Lines({ series, label, format }: Props) {
  const all = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const top = nice(Math.max(1, ...all));
  return (
    <figure className="chart">
      <div className="chart-room">
        <span className="chart-top num" aria-hidden="true">{format(top)}</span>
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
          {[0, 0.5].map((part) => <line key={part} className="chart-grid" x1={0} x2={WIDTH} y1={HEIGHT * part + 0.5} y2={HEIGHT * part + 0.5} />)}
          {series.map((one) => <path key={one.name} className="chart-line" data-tone={one.tone} d={line(one.values, top)} vectorEffect="non-scaling-stroke" />)}
          <line className="chart-base" x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
        </svg>
      </div>
      <figcaption className="chart-says small">
        {series.map((one) => {
          const last = one.values.findLast((value) => value !== null);
          return <span key={one.name}><span className="chart-key" data-tone={one.tone} />{one.name} <strong className="num">{last == null ? "–" : format(last)}</strong></span>;
        })}
      </figcaption>
    </figure>
  );
}

function line(values: readonly (number | null)[], top: number): string {
  const step = WIDTH / Math.max(1, values.length);
  let isDrawing = false;
  return values.map((value, index) => {
    const goesOn = isDrawing;
    isDrawing = value !== null;
    if (value === null) return "";
    const [x, y] = [(index + 0.5) * step, HEIGHT - (value / top) * HEIGHT];
    // A value by itself is a dash: a line needs two.
    return goesOn ? `L${x.toFixed(1)} ${y.toFixed(1)}` : `M${(x - step / 3).toFixed(1)} ${y.toFixed(1)}L${x.toFixed(1)} ${y.toFixed(1)}`;
  }).join("");
}
