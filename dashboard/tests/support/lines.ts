// What a process says, line by line.
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** Gives each line of a process to `take`, until that says that it has heard enough. Fails when the process ends before. */
export function hear(child: ChildProcess, take: (line: string) => boolean): Promise<void> {
  return new Promise((done, fail) => {
    const output = child.stdout;
    if (!output) { fail(new Error("nothing can be heard")); return; }
    const errors: string[] = [];
    child.stderr?.on("data", (text: Buffer) => errors.push(text.toString()));
    createInterface({ input: output }).on("line", (line) => { if (take(line)) done(); });
    child.once("exit", (code) => { fail(new Error(`it ended with ${code}: ${errors.join("")}`)); });
  });
}

export function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done();
    else child.once("exit", () => { done(); });
  });
}
