// A PostgreSQL server for the tests of this project: on a free port, gone with them.
import { spawn } from "node:child_process";
import type { TestProject } from "vitest/node";
import { ended, hear } from "./lines";
import { program } from "./programs";

declare module "vitest" {
  interface ProvidedContext {
    postgres: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const child = spawn(program("postgres"), { stdio: ["pipe", "pipe", "pipe"] });
  let url = "";
  await hear(child, (line) => { url = line; return true; });
  project.provide("postgres", url);
  return async () => {
    // It ends when nobody holds the other end of its input any more.
    child.stdin.end();
    await ended(child);
  };
}
