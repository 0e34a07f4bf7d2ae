// The Rust programs that the tests need. `cargo xtask test` builds them; by hand it is
// `cargo build --example showcase -p vastflow-examples` and `cargo build --example postgres -p vastflow-testsuite`.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, "../../../target");

export function program(name: "showcase" | "postgres"): string {
  const path = join(target, "debug/examples", name);
  if (!existsSync(path)) throw new Error(`${path} is missing; build it with \`cargo build --example ${name}\``);
  return path;
}
