// How fast the page is, measured in a browser at a running service:
//   node scripts/measure.mjs http://127.0.0.1:8080 RUN [TRACE-FOLDER]
// Prints when something useful was painted, the frames of scrolling the list of runs and of panning RUN's graph, and how
// much memory the tab uses. With a folder, the browser's traces are kept there.
import { chromium } from "playwright-core";

const [, , base, run, folder] = process.argv;
if (!base || !run) {
  console.error("usage: node scripts/measure.mjs URL RUN [TRACE-FOLDER]");
  process.exit(2);
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--enable-precise-memory-info"] });

/** Opens a page and waits until `selector` is there; says after how many milliseconds it was painted. */
async function open(path, selector) {
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
  return { context, page, painted: await page.evaluate(() => Math.round(globalThis.painted)) };
}

/** Notes how long every frame takes while `act` goes on. */
async function frames(page, name, act) {
  if (folder) await browser.startTracing(page, { path: `${folder}/${name}.json` });
  await page.evaluate(() => {
    globalThis.took = [];
    let last = performance.now();
    const tick = (now) => { globalThis.took.push(now - last); last = now; globalThis.ticking = requestAnimationFrame(tick); };
    globalThis.ticking = requestAnimationFrame(tick);
  });
  await act();
  const took = await page.evaluate(() => { cancelAnimationFrame(globalThis.ticking); return globalThis.took.slice(2); });
  if (folder) await browser.stopTracing();
  took.sort((a, b) => a - b);
  const at = (part) => Number((took[Math.floor(took.length * part)] ?? 0).toFixed(1));
  return { frames: took.length, p50_ms: at(0.5), p95_ms: at(0.95), worst_ms: Number((took.at(-1) ?? 0).toFixed(1)) };
}

async function memory(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const used = await page.evaluate(() => performance.memory.usedJSHeapSize);
  return `${Math.round(used / 1e6)} MB`;
}

const list = await open("/runs", ".virtual-row");
const scrolled = await frames(list.page, "scroll", async () => {
  await list.page.mouse.move(800, 500);
  for (let at = 0; at < 120; at++) {
    await list.page.mouse.wheel(0, 900);
    await list.page.waitForTimeout(16);
  }
});
const listed = await list.page.evaluate(() => Number(document.querySelector(".virtual").getAttribute("aria-rowcount")));
console.log(JSON.stringify({ screen: "runs", painted_ms: list.painted, rows_after_scrolling: listed, scrolled, heap: await memory(list.page) }));
await list.context.close();

const graph = await open(`/runs/${encodeURIComponent(run)}?node=`, ".far, .node");
await graph.page.waitForTimeout(500);
const panned = await frames(graph.page, "pan-all", () => pan(graph.page));
const zoomed = await frames(graph.page, "zoom", async () => {
  for (let at = 0; at < 16; at++) {
    await graph.page.mouse.wheel(0, -120);
    await graph.page.waitForTimeout(40);
  }
});
const near = await frames(graph.page, "pan-near", () => pan(graph.page));
const nodes = await graph.page.evaluate(() => document.querySelectorAll(".node").length);
console.log(JSON.stringify({ screen: "graph", painted_ms: graph.painted, panned, zoomed, near, nodes_on_the_page: nodes, heap: await memory(graph.page) }));
await browser.close();

async function pan(page) {
  await page.mouse.move(700, 500);
  await page.mouse.down();
  for (let at = 0; at < 120; at++) {
    await page.mouse.move(700 + 350 * Math.sin(at / 12), 500 + 220 * Math.cos(at / 9) - 220);
    await page.waitForTimeout(8);
  }
  await page.mouse.up();
}
