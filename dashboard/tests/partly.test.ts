// What the page makes of answers that are of a part: the service looks at so much for one answer, and no longer. A store that
// is that large takes long to fill; so what is asked is answered here as such a service would.
import { expect, test } from "vitest";
import type { Page, Route } from "playwright-core";
import { read, see, stage } from "./support/test";

const it = stage();

const run = (id: string, status = "failed") => ({ id, flow: "echo", status, started_at_ms: Date.now(), plan: "p", input_bytes: 1 });
const json = (route: Route, body: unknown, status = 200) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });

/** Answers for the list of runs, page by page, from the `before` that was given (`first` without). */
async function list(page: Page, pages: Record<string, { ids: string[]; next?: string }>, taken: string[] = []) {
  await page.route(/\/api\/v1\/runs\?/, async (route) => {
    const { searchParams } = new URL(route.request().url());
    const { ids, next } = pages[searchParams.get("before") ?? "first"] ?? { ids: [] };
    taken.push(searchParams.toString());
    await json(route, { items: ids.map((id) => run(id)), ...(next === undefined ? {} : { next, partial: true }) });
  });
}

test("a search that found nothing at first goes on, and finds what is far behind", async () => {
  const page = await it.open("/workers");
  await list(page, { first: { ids: [], next: "9" }, 9: { ids: [], next: "8" }, 8: { ids: ["far"], next: "7" }, 7: { ids: [], next: "6" }, 6: { ids: ["last"] } });
  await page.goto(`${it.service.url}/runs?q=needle`);
  await read(page, "No run is like that so far");
  await see(page.getByRole("button", { name: /All like these|All runs like these/ }));
  await page.getByRole("button", { name: "Look further" }).click();
  await see(page.getByRole("link", { name: "far", exact: true }));
  // Behind what was found there may be more: the list says so, and does not read the whole store by itself.
  await page.getByRole("button", { name: "Look further" }).click();
  await see(page.getByRole("link", { name: "last", exact: true }));
  expect(await page.getByRole("button", { name: "Look further" }).count()).toBe(0);
});

test("all like these are all of them, however many answers it takes to find them", async () => {
  const page = await it.open("/workers");
  const taken: string[] = [];
  const ids = Array.from({ length: 1_500 }, (_, n) => `r${n}`);
  await list(page, { first: { ids: [], next: "9" }, 9: { ids: ids.slice(0, 1_000), next: "8" }, 8: { ids: ids.slice(1_000) } }, taken);
  const asked: string[][] = [];
  await page.route("**/api/v1/runs/bulk", async (route) => {
    const { ids, filter, dry_run, action } = route.request().postDataJSON() as { ids: string[]; filter?: unknown; dry_run: boolean; action: string };
    expect([filter, dry_run, action]).toEqual([undefined, false, "retry"]);
    asked.push(ids);
    await json(route, { dry_run, matched: ids.length, done: ids.length - 1, sample: [], more: false });
  });
  await page.goto(`${it.service.url}/runs?flow=echo`);
  await page.getByRole("button", { name: /All like these|All runs like these/ }).click();
  await page.getByRole("menuitem", { name: "Retry all…" }).click();
  const dialog = page.getByRole("dialog");
  await see(dialog.getByText("1,500 runs"));
  expect(new URLSearchParams(taken.at(-1)).getAll("status")).toEqual(["failed", "stopped"]);
  await dialog.getByLabel(/^Type 1500/).fill("1500");
  await dialog.getByRole("button", { name: "Retry 1,500" }).click();
  await read(page, "1,498 retried; 2 could not be");
  expect(asked.flat()).toEqual(ids);
});

test("who counts for long has enough at some time, and is not told that there is none", async () => {
  const page = await it.open("/workers");
  let isHeld = false;
  await page.route(/\/api\/v1\/runs\?/, async (route) => {
    const { searchParams } = new URL(route.request().url());
    // The third look lasts until it is broken off.
    if (searchParams.get("before") === "8") { isHeld = true; return; }
    await json(route, { items: [], next: searchParams.has("before") ? "8" : "9", partial: true });
  });
  await page.goto(`${it.service.url}/runs?flow=echo`);
  await page.getByRole("button", { name: /All like these|All runs like these/ }).click();
  await page.getByRole("menuitem", { name: "Retry all…" }).click();
  const dialog = page.getByRole("dialog");
  await see(dialog.getByText("0 runs so far, counting…"));
  await expect.poll(() => isHeld).toBe(true);
  await dialog.getByRole("button", { name: "That is enough" }).click();
  await see(dialog.getByText(/None so far can be asked to retry, but not all runs were looked at/));
  expect(await dialog.getByRole("button", { name: "Retry 0" }).isDisabled()).toBe(true);
});

test("nobody is told that nothing waits while not all was looked at", async () => {
  const page = await it.open("/workers");
  let items: object[] = [];
  await page.route("**/api/v1/attention?*", (route) => json(route, { items, partial: true }));
  for (const path of ["/", "/attention"]) {
    await page.goto(it.service.url + path);
    await read(page, "Nothing was found, but not all was looked at");
    expect(await page.getByText(/Nothing waits for/).count()).toBe(0);
  }
  items = [{ kind: "failed", flow: "echo", run: "r1", why: "failed: no", runs: 1 }];
  for (const path of ["/", "/attention"]) {
    await page.goto(it.service.url + path);
    await see(page.getByRole("link", { name: /r1/ }).first());
    await read(page, /Not all was looked at: others may wait, too/);
  }
});

test("who may not know the counts asks for them once", async () => {
  const known = await it.service.run("echo", { text: "before" });
  const page = await it.open("/workers");
  await page.clock.install();
  let asked = 0;
  await page.route("**/api/v1/counts", (route) => {
    asked += 1;
    return json(route, { type: "about:blank", code: "forbidden", title: "Forbidden", status: 403, detail: "the counts are of all flows" }, 403);
  });
  await page.goto(`${it.service.url}/runs`);
  await see(page.getByRole("link", { name: known, exact: true }));
  await see(page.locator('[data-live="live"]'));
  await expect.poll(() => asked).toBeGreaterThan(0);
  // What changes makes counts stale; these are not asked for again for all that.
  const id = await it.service.run("echo", { text: "a" });
  await see(page.getByRole("link", { name: id, exact: true }));
  await page.clock.runFor(120_000);
  await page.getByRole("link", { name: "Overview" }).click();
  await see(page.getByRole("heading", { name: "Needs attention" }));
  await page.clock.runFor(120_000);
  expect(asked).toBe(1);
});
