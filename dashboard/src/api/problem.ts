import type { Problem } from "./types";

/** An answer that is no success: what the service said, or that it could not be reached (`status` 0). */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly requestId: string | null;

  constructor(problem: Omit<Problem, "type">) {
    super(problem.detail);
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.requestId = problem.request_id ?? null;
  }

  static unreachable(cause: unknown): Refused {
    const why = cause instanceof Error ? cause.message : String(cause);
    const detail = `The service did not answer (${why}). It may have ended, or the network may be cut; this page tries again by itself.`;
    return new Refused({ status: 0, code: "unreachable", title: "The service cannot be reached", detail });
  }

  static async of(response: Response): Promise<Refused> {
    const body: unknown = await response.json().catch(() => null);
    if (isProblem(body)) return new Refused(body);
    const detail = `The service answered ${response.status} without saying why.`;
    return new Refused({ status: response.status, code: "unknown", title: "Something went wrong", detail });
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body && "title" in body;
}

/** Whether an error says that there is no such thing (or that this service does not know how to answer). */
export function isMissing(error: unknown): boolean {
  return error instanceof Refused && error.status === 404;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof Refused && error.status === 403;
}

/** What went wrong, for people. */
export function told(error: unknown): { title: string; detail: string } {
  if (error instanceof Refused) return { title: error.title, detail: error.message };
  return { title: "Something went wrong", detail: error instanceof Error ? error.message : String(error) };
}
