// What every screen must be in both themes and at every width: accessible, and within the window.
import axe from "axe-core";
import { expect, test } from "vitest";
import type { Locator, Page } from "playwright-core";
import { see, stage } from "./support/test";

const it = stage({ fill: true, tokens: true });

/** Each screen, and what shows that it is there. */
const screens: Record<string, [path: string, sign: (page: Page) => Locator]> = {
  overview: ["/", (page) => page.getByRole("heading", { name: "Overview" })],
  runs: ["/runs", (page) => page.getByRole("link", { name: "machine-1", exact: true })],
  "runs, narrowed to none": ["/runs?flow=bytes", (page) => page.getByText("No run is like that")],
  "run that failed": ["/runs/order-7", (page) => page.locator(".panel .said-box")],
  "run, undone": ["/runs/order-12?node=", (page) => page.locator('.node[data-status="undone"]').first()],
  "run, timeline": ["/runs/order-7/timeline?node=", (page) => page.getByText("charge").first()],
  "run, events": ["/runs/order-7/events?node=", (page) => page.getByText(/charge/).first()],
  "run, input and output": ["/runs/order-1/data", (page) => page.getByText("delivery").first()],
  "run, context": ["/runs/machine-1/context", (page) => page.getByText("machineName").first()],
  "run, definition": ["/runs/order-1/definition", (page) => page.getByText("validate").first()],
  "run that waits for a signal": ["/runs/expense-1?node=answer", (page) => page.getByRole("button", { name: "Signal" })],
  "run that is parked": ["/runs/import-0", (page) => page.getByRole("button", { name: "Mark done" })],
  "run of a thousand items": ["/runs/film-1?node=piece", (page) => page.locator(".panel")],
  "no such run": ["/runs/nothing", (page) => page.getByText("There is no run nothing")],
  flows: ["/flows", (page) => page.getByRole("link", { name: "checkout", exact: true })],
  "flow, runs × nodes": ["/flows/checkout", (page) => page.locator(".grid-cell.filled[data-tone=ok]").first()],
  "flow, graph": ["/flows/checkout/graph", (page) => page.locator(".graph .node").first()],
  "flow, plans": ["/flows/checkout/plans", (page) => page.getByText("new runs")],
  "flow, start": ["/flows/checkout/start", (page) => page.getByLabel("customer")],
  "start with bytes": ["/flows/bytes/start", (page) => page.getByLabel("Input, as JSON")],
  workers: ["/workers", (page) => page.getByText("alive", { exact: true })],
  attention: ["/attention", (page) => page.getByRole("link", { name: "import-0" })],
  audit: ["/audit", (page) => page.getByText("begin session").first()],
  tokens: ["/tokens", (page) => page.getByRole("button", { name: "New token" })],
  "no such page": ["/nowhere", (page) => page.getByText("There is no such page")],
};

interface Violation {
  id: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** What axe finds wrong. It is run by the browser's tools, which the page's policy does not concern. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (options: object) => Promise<{ violations: Violation[] }> } };
    return (await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] })).violations;
  });
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`));
}

for (const [name, [path, sign]] of Object.entries(screens)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`axe finds nothing: ${name}, ${colorScheme}`, async () => {
      const page = await it.open(path, { as: "admin", colorScheme });
      await see(sign(page));
      expect(await violations(page)).toEqual([]);
    });
  }

  test(`nothing is wider than a small telephone: ${name}`, async () => {
    const page = await it.open(path, { as: "admin", viewport: { width: 360, height: 740 } });
    await see(sign(page));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBeLessThanOrEqual(360);
  });
}

test("axe finds nothing: the sign-in, and its complaint", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await it.open("/", { colorScheme });
    await page.getByLabel("Token").fill("wrong");
    await page.keyboard.press("Enter");
    await see(page.getByRole("alert"));
    expect(await violations(page)).toEqual([]);
  }
});

test("axe finds nothing: the windows that ask", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await it.open("/attention", { as: "admin", colorScheme });
    for (const name of [/^Retry load import-0/, /^Skip load import-0/, /^Mark done load import-0/]) {
      await page.getByRole("button", { name }).click();
      await see(page.getByRole("dialog"));
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");
    }
  }
});

test("everything can be reached by keys", async () => {
  const page = await it.open("/flows", { as: "admin" });
  await see(page.getByRole("link", { name: "checkout", exact: true }));
  await page.keyboard.press("g");
  await page.keyboard.press("w");
  await see(page.getByRole("heading", { name: "Workers and queues" }));
  await page.keyboard.press("?");
  await see(page.getByRole("dialog", { name: "Keys" }));
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("f");
  await page.keyboard.press("/");
  await page.keyboard.type("impo");
  await see(page.getByRole("link", { name: "import", exact: true }));
  expect(await page.getByRole("link", { name: "checkout", exact: true }).count()).toBe(0);
});
