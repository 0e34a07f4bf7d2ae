// What is built must stay small: at most 180 kB of JavaScript, gzipped, in all files together.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const MOST = 180_000;
const folder = new URL("../dist/assets/", import.meta.url);
let all = 0;
for (const name of readdirSync(folder).sort()) {
  const size = gzipSync(readFileSync(new URL(name, folder)), { level: 9 }).length;
  if (name.endsWith(".js")) all += size;
  console.log(`${String(size).padStart(7)}  ${name}`);
}
console.log(`${String(all).padStart(7)}  JavaScript in all, of at most ${MOST}`);
if (all > MOST) {
  console.error("too much JavaScript");
  process.exit(1);
}
