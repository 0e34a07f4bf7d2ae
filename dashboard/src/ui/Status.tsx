import { look } from "./status";
import "./ui.css";

/** A state: its sign, its colour, its word. */
export function Status({ of, isBare = false }: { of: string; isBare?: boolean }) {
  const { tone, sign, says } = look(of);
  return (
    <span className={isBare ? "status bare" : "status"} data-tone={tone} title={says}>
      <span className="sign" aria-hidden="true">{sign}</span>
      {of.replace("-", " ")}
    </span>
  );
}

/** A state as a sign alone; the word is there for who cannot see it. */
export function StatusDot({ of }: { of: string }) {
  const { tone, sign } = look(of);
  return (
    <span className="status-dot" data-tone={tone} title={of}>
      <span aria-hidden="true">{sign}</span>
      <span className="sr">{of}</span>
    </span>
  );
}
