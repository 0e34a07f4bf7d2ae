// The example `showcase`: a real service with real flows, in a process of its own.
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { ended, hear } from "./lines";
import { program } from "./programs";

export interface Wanted {
  /** Who may do what is asked for; else anybody may do everything. */
  tokens?: boolean;
  /** How long a unit of work takes, in milliseconds. */
  pace?: number;
  /** Runs of every kind are started first. */
  fill?: boolean;
  /** One more flow, with so many nodes. */
  wide?: number;
  basePath?: string;
  readOnly?: boolean;
  /** The flows for tests. */
  trials?: boolean;
}

export type Role = "admin" | "operator" | "viewer";

export class Showcase {
  readonly #dir = mkdtempSync(join(tmpdir(), "showcase-"));
  #args: string[];
  #child: ChildProcess | null = null;
  #listen = "127.0.0.1:0";
  /** Where the dashboard is, without a slash at its end. */
  url = "";
  readonly tokens: Partial<Record<Role, string>> = {};

  private constructor(wanted: Wanted) {
    this.#args = ["--store", this.#store(), "--pace", String(wanted.pace ?? 20)];
    if (wanted.fill) this.#args.push("--fill", "yes");
    if (wanted.wide) this.#args.push("--wide", String(wanted.wide));
    if (wanted.basePath) this.#args.push("--base-path", wanted.basePath);
    if (wanted.readOnly) this.#args.push("--read-only", "yes");
    if (wanted.trials) this.#args.push("--trials", "yes");
    if (wanted.tokens) this.#args.push("--tokens", join(this.#dir, "tokens"));
  }

  static async start(wanted: Wanted = {}): Promise<Showcase> {
    const showcase = new Showcase(wanted);
    await showcase.start();
    return showcase;
  }

  /** A store of its own: a file, or a schema of the server. */
  #store(): string {
    if (process.env.STORE !== "postgres") return `sqlite:${join(this.#dir, "app.db")}`;
    return `${inject("postgres")}?schema=t${randomBytes(6).toString("hex")}`;
  }

  /** Starts it, again if it ran before: with the same store, at the same address. */
  async start(): Promise<void> {
    const child = spawn(program("showcase"), [...this.#args, "--listen", this.#listen], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    const isFilling = this.#args.includes("--fill");
    await hear(child, (line) => {
      const [first, second = "", third = ""] = line.split(" ");
      if (first === "token") this.tokens[second as Role] = third;
      if (first === "listening") {
        this.url = third;
        this.#listen = new URL(third).host;
      }
      return first === (isFilling ? "filled" : "listening");
    });
  }

  /** Starts it, after it ended, as a program without an option that it had. */
  async startWithout(option: string): Promise<void> {
    const at = this.#args.indexOf(option);
    this.#args = this.#args.filter((_, place) => place !== at && place !== at + 1);
    await this.start();
  }

  /** Waits until it ends by itself. */
  async ended(): Promise<void> {
    if (this.#child) await ended(this.#child);
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    child.kill("SIGKILL");
    await ended(child);
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Asks the API, as a program would. */
  async ask<T = unknown>(method: string, path: string, body?: unknown, role: Role = "admin"): Promise<T> {
    const token = this.tokens[role];
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    const response = await fetch(`${this.url}/api/v1${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  /** Starts a run and gives its id. */
  async run(flow: string, input: unknown, more: object = {}): Promise<string> {
    const { id } = await this.ask<{ id: string }>("POST", "/runs", { flow, input, ...more });
    return id;
  }

  /** Waits until a run stands as it should, by its stream: nothing is asked again and again. */
  async until(id: string, ...wanted: string[]): Promise<void> {
    const token = this.tokens.admin;
    const cut = new AbortController();
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const isThere = async () => wanted.includes((await this.ask<{ status: string }>("GET", `/runs/${encodeURIComponent(id)}`)).status);
    const response = await fetch(`${this.url}/api/v1/stream`, { headers, signal: cut.signal });
    try {
      const reader = response.body?.getReader();
      while (!(await isThere())) if ((await reader?.read())?.done !== false) throw new Error(`the stream ended before ${id} was ${wanted.join(" or ")}`);
    } finally {
      cut.abort();
    }
  }
}
