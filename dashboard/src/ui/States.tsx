import type { ReactNode } from "react";
import { told } from "../api/problem";
import { Icon, type IconName } from "./icons";

/** Nothing is there, and what that means. */
export function Empty({ icon = "wave", title, children }: { icon?: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <Icon name={icon} size={28} />
      <p className="state-title">{title}</p>
      {children !== undefined && <div className="quiet">{children}</div>}
    </div>
  );
}

/** It could not be shown: what happened, and a button to try again. */
export function Failed({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { title, detail } = told(error);
  return (
    <div className="state" role="alert" data-tone="bad">
      <Icon name="attention" size={28} />
      <p className="state-title">{title}</p>
      <p className="quiet">{detail}</p>
      {onRetry && <button type="button" className="button" onClick={onRetry}><Icon name="retry" />Try again</button>}
    </div>
  );
}

/** It is on its way. Shown only after a moment: most answers come sooner, and nothing should flicker. */
export function Loading({ lines = 4 }: { lines?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, at) => <span key={at} style={{ width: `${90 - ((at * 37) % 50)}%` }} />)}
    </div>
  );
}
