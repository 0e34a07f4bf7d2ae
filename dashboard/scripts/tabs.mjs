// What tabs that watch a run ask of a service, and what that costs it:
//   node scripts/tabs.mjs http://127.0.0.1:8080 RUN [TABS [SECONDS [PID]]]
// Opens so many tabs of a browser, each as another person would, and counts what they ask once they are open. With the service's
// process id it says how much processor that took in the meantime. `vastflow-bench tabs` asks the same without a browser.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

const [, , base, run, tabs = "10", seconds = "5", pid] = process.argv;
if (!base || !run) {
  console.error("usage: node scripts/tabs.mjs URL RUN [TABS [SECONDS [PID]]]");
  process.exit(2);
}

/** The processor time of the service, in seconds: fields 14 and 15 of `/proc/PID/stat`, in hundredths (proc(5)). */
function cpu() {
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const asked = new Map();
let isCounted = false;
for (let tab = 0; tab < Number(tabs); tab++) {
  // A context of its own has connections of its own.
  const page = await (await browser.newContext()).newPage();
  page.on("request", (request) => {
    if (!isCounted) return;
    const path = new URL(request.url()).pathname.replace(encodeURIComponent(run), "RUN");
    asked.set(path, (asked.get(path) ?? 0) + 1);
  });
  await page.goto(`${base}/runs/${encodeURIComponent(run)}?node=`);
  await page.locator('[data-live="live"]').waitFor();
}
// All screens are fetched a second after the first.
await sleep(2_000);
isCounted = true;
const [before, began] = [cpu(), Date.now()];
await sleep(Number(seconds) * 1_000);
const took = (Date.now() - began) / 1_000;
isCounted = false;
const each = Object.fromEntries([...asked].map(([path, count]) => [path, Number((count / Number(tabs) / took).toFixed(2))]));
const cores = pid === undefined ? undefined : Number(((cpu() - before) / took).toFixed(3));
const { status } = await (await fetch(`${base}/api/v1/runs/${encodeURIComponent(run)}`)).json();
console.log(JSON.stringify({ tabs: Number(tabs), asked_by_each_a_second: each, cores_of_the_service: cores, run: status }));
await browser.close();
