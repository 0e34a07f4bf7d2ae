// The pictures of the README, from the dashboard as it is: the example `showcase` with runs of every kind, in a browser.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const root = new URL("../../", import.meta.url).pathname;
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const images = join(root, "docs/images");
/** They are in every clone, so they stay small. */
const MOST_BYTES = 200_000;

/** What is taken: the path, what shows that it is there, the theme, and the window. */
const pictures = [
  { name: "overview", path: "/", sign: "canvas, .chart, .facts", scheme: "light" },
  { name: "run", path: "/runs/order-7", sign: ".panel .said-box", scheme: "light" },
  { name: "run-dark", path: "/runs/order-7", sign: ".panel .said-box", scheme: "dark" },
  { name: "timeline", path: "/runs/order-18/timeline?node=", sign: ".run-view svg, .run-view .bar, .timeline", scheme: "light" },
  { name: "foreach", path: "/runs/film-1?node=piece", sign: ".panel .panel-item", scheme: "dark" },
  { name: "runs", path: "/runs", sign: ".virtual-row", scheme: "light" },
  { name: "flow", path: "/flows/checkout", sign: ".grid-cell.filled[data-tone=bad]", scheme: "light" },
  { name: "start", path: "/flows/checkout/start?from=order-3", sign: "input.input.num", scheme: "dark" },
  { name: "attention", path: "/attention", sign: ".attention-item", scheme: "light" },
  { name: "telephone", path: "/runs/order-7?node=", sign: ".node", scheme: "dark", width: 390, height: 780 },
];

const dir = mkdtempSync(join(tmpdir(), "screenshots-"));
const args = ["--listen", "127.0.0.1:0", "--store", `sqlite:${join(dir, "app.db")}`, "--pace", "60", "--fill", "yes"];
const service = spawn(join(target, "debug/examples/showcase"), args, { stdio: ["ignore", "pipe", "inherit"] });
try {
  const url = await filled();
  await settled(url);
  await take(url);
} finally {
  service.kill();
  rmSync(dir, { recursive: true, force: true });
}

/** The service's address, once its runs have begun. */
function filled() {
  return new Promise((done, fail) => {
    let url = "";
    service.once("exit", (code) => { fail(new Error(`showcase ended with ${code}`)); });
    createInterface({ input: service.stdout }).on("line", (line) => {
      if (line.startsWith("listening on ")) url = line.slice("listening on ".length);
      if (line === "filled") done(url);
    });
  });
}

/** Waits until nothing is under way but what waits for somebody: the stream says whenever something changed. */
async function settled(url) {
  const stream = await fetch(`${url}/api/v1/stream`);
  const reader = stream.body.getReader();
  for (;;) {
    const { runs } = await (await fetch(`${url}/api/v1/counts`)).json();
    if (runs.running + runs.queued <= 4 && runs["needs-attention"] >= 3) break;
    await reader.read();
  }
  await reader.cancel();
}

async function take(url) {
  mkdirSync(images, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
  for (const { name, path, sign, scheme, width = 1280, height = 760 } of pictures) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, reducedMotion: "reduce" });
    const page = await context.newPage();
    await page.goto(url + path);
    await page.locator(sign).first().waitFor();
    // What is drawn is there when nothing is asked for any more.
    await page.locator(".loading").first().waitFor({ state: "detached" });
    await page.evaluate(() => document.fonts.ready);
    const file = join(images, `${name}.png`);
    await page.screenshot({ path: file });
    const { size } = statSync(file);
    console.log(`${String(size).padStart(7)}  docs/images/${name}.png`);
    if (size > MOST_BYTES) throw new Error(`${name}.png has more than ${MOST_BYTES} bytes`);
    await context.close();
  }
  await browser.close();
}
