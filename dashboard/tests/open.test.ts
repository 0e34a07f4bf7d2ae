// A tab that is open for long, and one in which much happens at once: what it shows is what the service said last.
import { expect, test } from "vitest";
import type { Page, Route } from "playwright-core";
import { read, see, stage } from "./support/test";

const it = stage({ pace: 20 });

const row = (id: string, more: object = {}) => ({ id, flow: "echo", status: "succeeded", started_at_ms: Date.now(), plan: "p", input_bytes: 1, ...more });
const json = (route: Route, body: unknown) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });

function withResolvers() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => { resolve = done; });
  return { promise, resolve };
}

/** What the stream of all runs says, at once; then it ends. Gives a wait for the page to ask for it again, which is in vain: by then
 * it has taken in what was said. */
async function say(page: Page, runs: object[]): Promise<Promise<void>[]> {
  let isSaid = false;
  const { promise: heard, resolve: hear } = withResolvers();
  const text = runs.map((run, at) => `id: x-${at}\nevent: run\ndata: ${JSON.stringify({ run })}\n\n`).join("");
  await page.route("**/api/v1/stream", (route) => {
    if (isSaid) {
      hear();
      return route.abort();
    }
    isSaid = true;
    return route.fulfill({ contentType: "text/event-stream", body: text });
  });
  return [heard];
}

test("a list that is left open does not grow without end", async () => {
  const page = await it.open("/workers");
  await see(page.getByText("alive", { exact: true }));
  let asked = 0;
  await page.route(/\/api\/v1\/runs\?/, (route) => {
    asked += 1;
    return json(route, { items: Array.from({ length: 100 }, (_, n) => row(asked === 1 ? `old-${n}` : `now-${n}`, { started_at_ms: Date.now() - 60_000 })) });
  });
  await say(page, Array.from({ length: 1_500 }, (_, n) => row(`new-${n}`)));
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Runs" }).click();
  await see(page.getByRole("link", { name: "now-0", exact: true }));
  const rows = async () => Number(await page.getByRole("table", { name: "Runs" }).getAttribute("aria-rowcount"));
  await expect.poll(rows).toBe(100);
  expect(asked).toBe(2);
});

test("an answer that is older than the news does not undo them", async () => {
  const page = await it.open("/workers");
  await see(page.getByText("alive", { exact: true }));
  const { promise: held, resolve: answer } = withResolvers();
  await page.route(/\/api\/v1\/runs\?/, async (route) => {
    await held;
    await json(route, { items: [row("r1", { status: "running" })] });
  });
  // It is answered once the page has heard that the run is over.
  const [heard] = await say(page, [row("r1", { status: "failed", failure: { kind: "error", text: "no" } })]);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Runs" }).click();
  await heard;
  answer();
  await see(page.getByRole("link", { name: "r1", exact: true }));
  await see(page.locator(".run-line .status").filter({ hasText: "failed" }));
});

test("the keyboard stays at its run when others come above it", async () => {
  const first = await it.service.run("echo", { text: "a" });
  const page = await it.open("/runs");
  await see(page.getByRole("link", { name: first, exact: true }));
  await see(page.locator('[data-live="live"]'));
  await page.keyboard.press("j");
  const second = await it.service.run("echo", { text: "b" });
  await see(page.getByRole("link", { name: second, exact: true }));
  await page.keyboard.press("x");
  expect(await page.getByRole("checkbox", { name: `Pick ${first}` }).isChecked()).toBe(true);
  expect(await page.getByRole("checkbox", { name: `Pick ${second}` }).isChecked()).toBe(false);
});

test("who comes back to a list is where they left it", async () => {
  const page = await it.open("/workers");
  await see(page.getByText("alive", { exact: true }));
  await page.route(/\/api\/v1\/runs\?/, (route) => json(route, { items: Array.from({ length: 100 }, (_, n) => row(`r${n}`)) }));
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Runs" }).click();
  const list = page.getByRole("table", { name: "Runs" });
  const top = () => list.evaluate((element) => element.scrollTop);
  await see(page.getByRole("link", { name: "r0", exact: true }));
  await list.evaluate((element) => { element.scrollTop = 2_000; });
  await page.getByRole("link", { name: "r50", exact: true }).click();
  await read(page, "There is no run r50");
  await page.goBack();
  await see(page.getByRole("link", { name: "r50", exact: true }));
  expect(await top()).toBe(2_000);
  // Who goes there anew begins at its top.
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Workers" }).click();
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Runs" }).click();
  await see(page.getByRole("link", { name: "r0", exact: true }));
  expect(await top()).toBe(0);
});

test("Enter in the search opens a run of that id, and nothing that is not there", async () => {
  const id = await it.service.run("echo", { text: "a" }, { id: "exactly" });
  const page = await it.open("/runs");
  const search = page.getByLabel("Search runs");
  await search.fill("exact");
  const refused = page.waitForResponse((answer) => answer.url().endsWith("/runs/exact"));
  await search.press("Enter");
  expect((await refused).status()).toBe(404);
  await see(page.getByRole("link", { name: id, exact: true }));
  await expect.poll(() => page.url()).toBe(`${it.service.url}/runs?q=exact`);
  await search.fill(id);
  await search.press("Enter");
  await page.waitForURL(`${it.service.url}/runs/${id}`);
});

test("a whole number is shown with all its digits, and sent so", async () => {
  const digits = "18446744073709551615";
  const answer = await fetch(`${it.service.url}/flow/bytes`, { method: "POST", headers: { "content-type": "application/json", "x-async": "true", "x-request-id": "digits" }, body: `{"id":${digits}}` });
  expect(answer.ok).toBe(true);
  await it.service.until("digits", "succeeded");
  const page = await it.open("/runs/digits/data");
  await see(page.getByText(digits, { exact: true }));
  const id = await it.service.run("import", { name: "a.csv", fails: 2 });
  await it.service.until(id, "needs-attention");
  await page.goto(`${it.service.url}/runs/${id}`);
  await page.getByRole("button", { name: "Mark done" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("What the node gave, as JSON").fill(digits);
  await dialog.getByLabel(/^Why/).fill("it was loaded by hand");
  const sent = page.waitForRequest((request) => request.url().endsWith("/resolve"));
  await dialog.getByRole("button", { name: "Mark done" }).click();
  expect((await sent).postData()).toContain(`"output":${digits}`);
});

test("a machine without a network shows the service that runs on it", async () => {
  await it.service.run("echo", { text: "a" });
  const page = await it.open("/workers");
  await see(page.getByText("alive", { exact: true }));
  await page.evaluate(() => { dispatchEvent(new Event("offline")); });
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Audit" }).click();
  await read(page, "start run");
});
