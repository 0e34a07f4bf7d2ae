// The types of what the API says, from the OpenAPI document. `--check`: fail when the committed file is not of today's.
import openapi, { astToString } from "openapi-typescript";
import { readFile, writeFile } from "node:fs/promises";

const source = new URL("../../docs/openapi.json", import.meta.url);
const target = new URL("../src/api/schema.d.ts", import.meta.url);
const head = "// Generated from docs/openapi.json by `npm run types`. Not to be edited.\n\n";
const text = head + astToString(await openapi(source));

if (!process.argv.includes("--check")) {
  await writeFile(target, text);
} else if ((await readFile(target, "utf8").catch(() => "")) !== text) {
  console.error("src/api/schema.d.ts is not what docs/openapi.json says: run `npm run types`");
  process.exit(1);
}
