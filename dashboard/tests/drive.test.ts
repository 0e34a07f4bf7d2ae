// What people do with the dashboard, on a real service with real flows. These tests run on every store.
import { expect, test } from "vitest";
import type { Locator, Page } from "playwright-core";
import { gone, read, see, stage } from "./support/test";

const it = stage({ pace: 150, tokens: true });

/** A node of the graph, by its whole name; where it stands, if that is asked for. */
function node(page: Page, at: string, status?: string): Locator {
  const stands = status === undefined ? "" : `[data-status="${status}"]`;
  return page.locator(`.node${stands}[aria-label*=": ${at}, "]`);
}

/** The status of the run that the page shows. */
function status(page: Page, of: string): Locator {
  return page.locator(".run-title .status").filter({ hasText: of });
}

function dialog(page: Page): Locator {
  return page.getByRole("dialog");
}

/** Whether the page is still the one that was opened: nothing below was shown by loading it again. */
async function mark(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate(() => { (window as unknown as { marked: boolean }).marked = true; });
  return () => page.evaluate(() => (window as unknown as { marked?: boolean }).marked === true);
}

const order = { customer: "ada", items: ["a", "b"], cents: 4_900, delivery: "parcel" };

test("a run is started from the form, its nodes turn live, and a signal that is sent by hand lets it go on", async () => {
  const page = await it.open("/flows/expense/start", { as: "operator" });
  await page.getByLabel("what").fill("a chair");
  await page.getByLabel("cents").fill("4900");
  const isSame = await mark(page);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.waitForURL(/\/runs\/[^/]+$/);
  await see(node(page, "ask", "succeeded"));
  await see(node(page, "answer", "listening"));
  await see(node(page, "both", "waiting"));
  await node(page, "answer").click();
  await page.getByRole("button", { name: "Signal", exact: true }).click();
  await dialog(page).getByLabel("What it carries, as JSON").fill('{"approved": true, "by": "ann"}');
  await dialog(page).getByRole("button", { name: "Send" }).click();
  await see(node(page, "answer", "succeeded"));
  await see(node(page, "decide[yes]/pay", "succeeded"));
  await see(status(page, "succeeded"));
  expect(await isSame()).toBe(true);
  await page.getByRole("link", { name: "Input & output" }).click();
  await read(page, /a chair paid, says ann/);
});

test("running, polling and retrying nodes are seen as they happen", async () => {
  const page = await it.open("/runs", { as: "operator" });
  // What each node was shown as, from when the page is there to the run's end.
  const nodes = () => page.evaluate(async () => {
    const seen = new Set<string>();
    const look = () => {
      for (const node of document.querySelectorAll(".node[data-status]")) seen.add(`${node.getAttribute("data-status") ?? ""}`);
      return document.querySelector('.node[data-status="succeeded"][aria-label*=": receipt, "]') !== null;
    };
    await new Promise<void>((done) => {
      const watch = new MutationObserver(() => { if (look()) { watch.disconnect(); done(); } });
      watch.observe(document.body, { subtree: true, childList: true, attributes: true });
      if (look()) { watch.disconnect(); done(); }
    });
    return [...seen];
  });
  let seen: string[] = [];
  // A page that comes late, on a busy machine, sees how it ended: then another run is looked at.
  for (let tries = 0; tries < 5 && !seen.includes("retrying"); tries++) {
    await page.goto(`${it.service.url}/runs`);
    await see(page.locator('[data-live="live"]'));
    const id = await it.service.run("checkout", { ...order, fail_at: "flaky" });
    await page.getByRole("link", { name: id, exact: true }).click();
    seen = await nodes();
  }
  expect(seen).toEqual(expect.arrayContaining(["waiting", "succeeded", "retrying"]));
  await see(status(page, "succeeded"));
  await node(page, "charge").click();
  await read(page, /the bank is busy: 503/);
});

test("a run that failed opens on the error, and is retried from the node", async () => {
  const id = await it.service.run("checkout", { ...order, fail_at: "charge" });
  await it.service.until(id, "failed");
  const page = await it.open("/runs", { as: "operator" });
  await page.getByRole("link", { name: id, exact: true }).click();
  const panel = page.getByRole("complementary", { name: "Node charge" });
  await see(panel.getByText("the bank refuses 4900 cents: 402 card declined").first());
  await see(node(page, "reserve", "undone"));
  await panel.getByRole("button", { name: "Retry from here" }).click();
  await dialog(page).getByLabel(/^Why/).fill("the card was renewed");
  await dialog(page).getByRole("button", { name: "Fork" }).click();
  await page.waitForURL(`**/runs/${encodeURIComponent(`${id}.fork1`)}*`);
  await see(page.getByRole("link", { name: id, exact: true }));
  await read(page, /the card was renewed/);
  await see(status(page, "failed"));
});

test("what a call said is read line by line, and a line has an address", async () => {
  const id = await it.service.run("checkout", { ...order, fail_at: "charge" });
  await it.service.until(id, "failed");
  const page = await it.open(`/runs/${id}`, { as: "operator" });
  const line = page.getByRole("link", { name: /402 card_declined/ }).nth(1);
  await line.click();
  await page.waitForURL(/node=charge&line=4$/);
  const whole = page.getByRole("group", { name: "Line 4" });
  await see(whole.getByText(/attempt 2, .* after it began/));
  // Its address leads to it, in another tab.
  const other = await it.open(page.url().slice(it.service.url.length), { as: "operator" });
  await see(other.getByRole("group", { name: "Line 4" }).getByText('POST /charges: 402 card_declined, "insufficient funds"'));
  expect(await other.locator(".log-line[aria-current]").evaluate((line) => line.getBoundingClientRect().bottom <= innerHeight)).toBe(true);
  await other.getByRole("button", { name: "Close the line" }).click();
  await gone(other.getByRole("group", { name: "Line 4" }));
});

test("a fork with another input goes on where the run failed, and keeps what succeeded", async () => {
  const id = await it.service.run("checkout", { ...order, fail_at: "charge" });
  await it.service.until(id, "failed");
  const page = await it.open(`/runs/${id}`, { as: "operator" });
  await page.getByRole("button", { name: "Fork with edited input" }).click();
  const input = dialog(page).getByLabel("What the node gets, as JSON");
  // What flowed into the node is there to be edited.
  await expect.poll(() => input.inputValue()).toContain("fail_at");
  await input.fill(JSON.stringify(order));
  await dialog(page).getByRole("button", { name: "Fork", exact: true }).click();
  await page.waitForURL(`**/runs/${encodeURIComponent(`${id}.fork1`)}*`);
  await see(status(page, "succeeded"));
  await see(node(page, "charge", "succeeded"));
});

test("a run is paused, and resumed with what was held back", async () => {
  const id = await it.service.run("expense", { what: "a lamp", cents: 100 });
  const page = await it.open(`/runs/${id}`, { as: "operator" });
  await see(node(page, "answer", "listening"));
  await page.getByRole("button", { name: "Pause" }).click();
  await dialog(page).getByLabel(/^Why/).fill("the shop is closed");
  await dialog(page).getByRole("button", { name: "Pause" }).click();
  await see(status(page, "paused"));
  await it.service.ask("POST", `/runs/${id}/signals/answer`, { approved: false, by: "bob" });
  await page.getByRole("button", { name: "Resume" }).click();
  await dialog(page).getByRole("button", { name: "Resume" }).click();
  await see(node(page, "decide[no]/refuse", "succeeded"));
  await see(status(page, "succeeded"));
});

test("a run is stopped, for a reason that is asked for", async () => {
  const id = await it.service.run("expense", { what: "a ship", cents: 1 });
  const page = await it.open(`/runs/${id}`, { as: "operator" });
  await page.getByRole("button", { name: "Stop" }).click();
  const stop = dialog(page).getByRole("button", { name: "Stop" });
  expect(await stop.isDisabled()).toBe(true);
  await dialog(page).getByLabel(/^Why/).fill("nobody needs a ship");
  await stop.click();
  await see(status(page, "stopped"));
  await read(page, /nobody needs a ship/);
});

test("what waits for a person is decided where it is listed", async () => {
  const id = await it.service.run("import", { name: "prices.csv", fails: 2 });
  await it.service.until(id, "needs-attention");
  const page = await it.open("/attention", { as: "operator" });
  await see(page.getByText(/prices.csv: line \d+ has 7 columns instead of 8/).first());
  await page.getByRole("button", { name: `Retry load ${id}` }).click();
  await dialog(page).getByLabel(/^Why/).fill("the file was mended");
  await dialog(page).getByRole("button", { name: "Retry" }).click();
  await gone(page.getByRole("link", { name: id, exact: true }));
  await it.service.until(id, "succeeded");
});

test("many runs are retried by what they have in common, after they were counted", async () => {
  const labels = { batch: "b7" };
  const failed = await Promise.all([1, 2, 3].map((n) => it.service.run("echo", { text: `no ${n}`, fails: true }, { labels })));
  const good = await it.service.run("echo", { text: "yes" }, { labels });
  for (const id of failed) await it.service.until(id, "failed");
  await it.service.until(good, "succeeded");
  const page = await it.open("/runs?label=batch%3Ab7", { as: "operator" });
  await see(page.getByRole("link", { name: good, exact: true }));
  await page.getByRole("button", { name: /^failed/ }).click();
  await gone(page.getByRole("link", { name: good, exact: true }));
  await expect.poll(() => page.url()).toContain("status=failed");
  await page.getByRole("button", { name: /All like these|All runs like these/ }).click();
  await page.getByRole("menuitem", { name: "Retry all…" }).click();
  await see(dialog(page).getByText("3 runs"));
  await dialog(page).getByRole("button", { name: "Retry 3" }).click();
  for (const id of failed) await see(page.getByRole("link", { name: `${id}.retry1`, exact: true }));
});

test("an earlier event shows the graph as it was then", async () => {
  const id = await it.service.run("checkout", order);
  await it.service.until(id, "succeeded");
  const page = await it.open(`/runs/${id}`, { as: "operator" });
  await see(node(page, "receipt", "succeeded"));
  await page.getByRole("link", { name: "Events" }).click();
  await page.getByRole("table", { name: "Events" }).getByRole("cell", { name: /price/ }).first().click();
  await see(node(page, "validate", "succeeded"));
  await see(node(page, "receipt", "waiting"));
  await see(node(page, "charge", "waiting"));
});

test("who only looks is refused by the service, whatever the page shows", async () => {
  const id = await it.service.run("expense", { what: "a boat", cents: 1 });
  const page = await it.open(`/runs/${id}`, { as: "viewer" });
  await see(node(page, "answer", "listening"));
  for (const name of ["Pause", "Stop", "Signal"]) expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
  const answers = await page.evaluate(async (id) => {
    const ask = (path: string, body: string) =>
      fetch(`../api/v1/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body }).then((answer) => answer.status);
    return Promise.all([
      ask(`runs/${id}/stop`, '{"why":"x"}'), ask(`runs/${id}/signals/answer`, "{}"), ask("runs", '{"flow":"expense"}'),
      ask("runs/bulk", '{"action":"kill","filter":{},"dry_run":false}'), fetch(`../api/v1/runs/${id}/input`).then((answer) => answer.status),
    ]);
  }, id);
  expect(answers).toEqual([403, 403, 403, 403, 403]);
  await see(status(page, "running"));
});

test("every change stands in the audit log, with its reason", async () => {
  const id = await it.service.run("expense", { what: "a train", cents: 1 });
  const page = await it.open(`/runs/${id}`, { as: "admin" });
  await page.getByRole("button", { name: "Stop" }).click();
  await dialog(page).getByLabel(/^Why/).fill("a strike");
  await dialog(page).getByRole("button", { name: "Stop" }).click();
  await see(status(page, "stopped"));
  await page.getByRole("link", { name: "Audit" }).click();
  const row = page.getByRole("row").filter({ hasText: id }).filter({ hasText: "stop run" });
  await see(row.filter({ hasText: "a strike" }).filter({ hasText: "admin" }));
});
