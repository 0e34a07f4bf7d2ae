// How fast the page is, measured in a browser at a running service:
//   cargo run --release -p vastflow-examples --example showcase -- --many 100000 --wide 5000 --pace 1 --store sqlite:/tmp/m.db
//   node scripts/measure.mjs http://127.0.0.1:8080 [runs|graph|all [TRACE-FOLDER]]
// Prints, for the list of runs and for a run of `wide` that it starts: when something useful was painted, the frames of scrolling,
// panning and zooming with how the main thread spent its time in them, and how much memory the tab takes. With a folder, the
// browser's traces are kept there.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

const [, , base, screen = "all", kept] = process.argv;
if (!base) {
  console.error("usage: node scripts/measure.mjs URL [runs|graph|all [TRACE-FOLDER]]");
  process.exit(2);
}
const folder = kept ?? mkdtempSync(join(tmpdir(), "traces-"));
/** A page is opened so often; the median counts. */
const OPENED = 5;

const server = await chromium.launchServer({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--enable-precise-memory-info"] });
const browser = await chromium.connect(server.wsEndpoint());
try {
  if (screen !== "graph") await list();
  if (screen !== "runs") await graph();
} finally {
  await browser.close();
  await server.close();
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}

async function list() {
  const { page, painted } = await opened("/runs", ".virtual-row");
  const scrolled = await frames(page, "scroll", async () => {
    await page.mouse.move(800, 500);
    for (let at = 0; at < 120; at++) {
      await page.mouse.wheel(0, 900);
      await page.waitForTimeout(16);
    }
  });
  // To where the list ends: all of it is in the tab then.
  const rows = () => page.evaluate(() => Number(document.querySelector(".virtual").getAttribute("aria-rowcount")));
  for (let now = await rows(), since = Date.now(); Date.now() - since < 1_500;) {
    await page.evaluate(() => { const box = document.querySelector(".virtual"); box.scrollTop = box.scrollHeight; });
    await page.waitForTimeout(30);
    const next = await rows();
    if (next !== now) [now, since] = [next, Date.now()];
  }
  const atEnd = await frames(page, "scroll-at-the-end", async () => {
    for (let at = 0; at < 120; at++) {
      await page.mouse.wheel(0, at % 40 < 20 ? -900 : 900);
      await page.waitForTimeout(16);
    }
  });
  tell({ screen: "runs", ...painted, rows: await rows(), scrolled, at_the_end: atEnd, ...(await memory(page)) });
  await page.context().close();
}

async function graph() {
  const id = `wide-${Date.now().toString(36)}`;
  const headers = { "content-type": "application/json" };
  const asked = await fetch(`${base}/api/v1/runs`, { method: "POST", headers, body: JSON.stringify({ flow: "wide", id, input: null }) });
  if (!asked.ok) throw new Error(`no run of wide: ${await asked.text()}`);
  while ((await (await fetch(`${base}/api/v1/runs/${id}`)).json()).status === "running") await sleep(200);
  const { page, painted } = await opened(`/runs/${id}?node=`, ".far, .node");
  await page.waitForTimeout(500);
  const panned = await frames(page, "pan-all", () => pan(page));
  const zoomed = await frames(page, "zoom", async () => {
    for (let at = 0; at < 16; at++) {
      await page.mouse.wheel(0, -120);
      await page.waitForTimeout(40);
    }
  });
  const near = await frames(page, "pan-near", () => pan(page));
  const drawn = await page.evaluate(() => document.querySelectorAll(".node").length);
  tell({ screen: "graph", ...painted, panned, zoomed, panned_near: near, nodes_on_the_page: drawn, ...(await memory(page)) });
  await page.context().close();
}

function tell(figures) {
  console.log(JSON.stringify(figures));
}

/** Opens a page several times, each time as for the first time; the last of them stays. Says when `selector` was painted. */
async function opened(path, selector) {
  const painted = [];
  for (let time = 1; ; time++) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.addInitScript((wanted) => {
      const look = () => {
        if (document.querySelector(wanted)) requestAnimationFrame(() => requestAnimationFrame(() => { globalThis.painted = performance.now(); }));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, selector);
    await page.goto(base + path);
    await page.waitForFunction(() => globalThis.painted !== undefined, null, { timeout: 60_000 });
    painted.push(await page.evaluate(() => Math.round(globalThis.painted)));
    if (time === OPENED) {
      painted.sort((a, b) => a - b);
      return { page, painted: { painted_ms: painted[Math.floor(OPENED / 2)], worst_painted_ms: painted.at(-1) } };
    }
    await context.close();
  }
}

/** Notes how long every frame takes while `act` goes on, and what the main thread does. */
async function frames(page, name, act) {
  const path = join(folder, `${name}.json`);
  await browser.startTracing(page, { path });
  await page.evaluate(() => {
    globalThis.took = [];
    let last = performance.now();
    const tick = (now) => { globalThis.took.push(now - last); last = now; globalThis.ticking = requestAnimationFrame(tick); };
    globalThis.ticking = requestAnimationFrame(tick);
  });
  await act();
  const took = await page.evaluate(() => { cancelAnimationFrame(globalThis.ticking); return globalThis.took.slice(2); });
  await browser.stopTracing();
  took.sort((a, b) => a - b);
  const at = (part) => Number((took[Math.floor(took.length * part)] ?? 0).toFixed(1));
  const worst = Number((took.at(-1) ?? 0).toFixed(1));
  return { frames: took.length, p50_ms: at(0.5), p95_ms: at(0.95), worst_ms: worst, ...busy(path) };
}

/** From a trace: how much of the time the page's main thread was busy, and its longest task. */
function busy(path) {
  const { traceEvents } = JSON.parse(readFileSync(path, "utf8"));
  const threads = new Map();
  for (const event of traceEvents) {
    if (event.ph !== "X" || !event.name.endsWith("RunTask")) continue;
    const key = `${event.pid} ${event.tid}`;
    if (threads.has(key)) threads.get(key).push(event);
    else threads.set(key, [event]);
  }
  const mains = traceEvents.filter(({ ph, name, args }) => ph === "M" && name === "thread_name" && args?.name === "CrRendererMain");
  const all = mains.map(({ pid, tid }) => spent(threads.get(`${pid} ${tid}`) ?? []));
  const { sum, longest, wall } = all.sort((one, other) => other.sum - one.sum)[0] ?? { sum: 0, longest: 0, wall: 1 };
  return { busy_percent: Math.round((100 * sum) / wall), longest_task_ms: Math.round(longest / 1000) };
}

/** The time of tasks, in microseconds; what is within another counts once. */
function spent(tasks) {
  tasks.sort((one, other) => one.ts - other.ts || other.dur - one.dur);
  let [sum, longest, end] = [0, 0, 0];
  for (const { ts, dur = 0 } of tasks) {
    if (ts < end) continue;
    sum += dur;
    longest = Math.max(longest, dur);
    end = ts + dur;
  }
  return { sum, longest, wall: Math.max(1, end - (tasks[0]?.ts ?? 0)) };
}

/** What the tab takes: of JavaScript, and of its whole process. */
async function memory(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize);
  return { heap_mb: Math.round(heap / 1e6), tab_mb: Math.max(...renderers()) };
}

/** The resident memory of the browser's tabs, in MB. */
function renderers() {
  const lines = execFileSync("ps", ["-eo", "pid,ppid,rss,args", "--no-headers"]).toString().split("\n");
  const all = lines.map((line) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line)).filter(Boolean);
  const ours = new Set([String(server.process().pid)]);
  for (let before = 0; before !== ours.size;) {
    before = ours.size;
    for (const [, pid, parent] of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(([, pid, , , args]) => ours.has(pid) && args.includes("--type=renderer")).map(([, , , rss]) => Math.round(Number(rss) / 1000));
}

async function pan(page) {
  await page.mouse.move(700, 500);
  await page.mouse.down();
  for (let at = 0; at < 120; at++) {
    await page.mouse.move(700 + 350 * Math.sin(at / 12), 500 + 220 * Math.cos(at / 9) - 220);
    await page.waitForTimeout(8);
  }
  await page.mouse.up();
}
