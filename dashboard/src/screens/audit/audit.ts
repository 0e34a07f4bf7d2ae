// What the audit log says, made ready to be read and searched.
import type { AuditRow } from "../../api/types";

/** `stop_run` as people say it. */
export function said(operation: string): string {
  return operation.replace(/_/g, " ");
}

/** Whether a row has all words of a search, anywhere. */
export function fits(row: AuditRow, search: string): boolean {
  const text = [row.who ?? "nobody", row.operation, said(row.operation), row.path, row.status, row.from ?? "", row.request_id ?? "", row.why ?? ""].join(" ").toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
