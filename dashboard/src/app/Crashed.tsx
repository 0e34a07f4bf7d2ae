import { Component, type ReactNode } from "react";
import { Refused } from "../api/problem";
import { Failed } from "../ui/States";

interface State {
  error: unknown;
}

interface Props {
  /** Where the page is: somewhere else there is no mistake yet. */
  at: string;
  children: ReactNode;
}

/** Keeps a mistake of one screen from taking the page with it. */
export class Crashed extends Component<Props, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override componentDidUpdate(before: Props): void {
    if (before.at !== this.props.at && this.state.error !== null) this.setState({ error: null });
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    const { error } = this.state;
    // A part that could not be fetched is not asked for again by itself; the whole page is, then, at the same place.
    if (isNotFetched(error)) return <Failed error={Refused.unreachable(error)} onRetry={() => { location.reload(); }} />;
    return <Failed error={error} onRetry={() => { this.setState({ error: null }); }} />;
  }
}

/** Whether a part of the page's own program is missing: the service is gone, or another version of it is there now. */
function isNotFetched(error: unknown): boolean {
  return error instanceof Error && /dynamically imported module|module script|preload CSS/i.test(error.message);
}
