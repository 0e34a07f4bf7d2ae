// What others wrote is text, wherever it stands: it runs nothing, fetches nothing, and becomes no element.
import { expect, test } from "vitest";
import type { Locator, Page } from "playwright-core";
import { openTab } from "./support/browser";
import { corpus } from "./support/corpus";
import { see, stage } from "./support/test";

const it = stage({ pace: 1, tokens: true, trials: true });

/** The runs that carry the corpus: in their input, output or error, context, labels, key, and the reason they were stopped for. */
const runs = new Map<string, string>();

async function begin(text: string, at: number): Promise<void> {
  const id = `x${at}`;
  const labels = { [`l${at}`]: text.slice(0, 200), [text.slice(0, 60)]: "name" };
  const fails = at % 2 === 0;
  // What is no good as a label is refused; it is carried all the same.
  const start = (more: object) => it.service.run("echo", { text, fails }, { id, ...more });
  await start({ labels, key: text.slice(0, 100) }).catch(() => start({ labels: { l: text.slice(0, 200) } })).catch(() => start({}));
  await it.service.until(id, "failed", "succeeded");
  runs.set(id, text);
}

/** Elements and links that no page of ours has. */
async function foreign(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found = document.querySelectorAll(
      "script:not([src*='/assets/']), iframe, object, embed, img, image, video, audio, base, meta[http-equiv], marquee, frameset, portal, style, template, math, svg a, form[action], [onerror], [onload], [onclick], [style*='url(']",
    );
    const links = [...document.querySelectorAll<HTMLAnchorElement>("a[href]")].filter((link) => !link.href.startsWith(`${location.origin}/`));
    return [...found, ...links].map((element) => element.outerHTML.slice(0, 200));
  });
}

/** Goes to a view of a run as a link within the page does, which is quicker than to load it. */
async function goTo(page: Page, id: string, rest: string): Promise<void> {
  await page.evaluate((path) => {
    history.pushState(null, "", path);
    dispatchEvent(new PopStateEvent("popstate"));
  }, `/runs/${id}${rest}`);
  await see(page.locator(`.run-title h1[title="${id}"]`));
}

/** Scrolls a list from its top to its end: no row of it is more than text. */
async function scrolled(page: Page, list: Locator, least: number): Promise<void> {
  await expect.poll(async () => Number(await list.getAttribute("aria-rowcount"))).toBeGreaterThanOrEqual(least);
  let top = -1;
  for (;;) {
    expect(await foreign(page)).toEqual([]);
    const next = await list.evaluate((element) => { element.scrollTop += element.clientHeight; return element.scrollTop; });
    if (next === top) return;
    top = next;
  }
}

test("the tests notice what they are about", async () => {
  const tab = await openTab(it.service.url);
  await tab.page.goto(it.service.url);
  await tab.page.evaluate(() => {
    const box = document.createElement("div");
    // A mistake such as no page of ours may make.
    box["innerHTML"] = "<img src=https://evil.example/x.png onerror=alert(1)><a href=javascript:alert(1)>x</a>";
    document.body.append(box);
  });
  await expect.poll(() => tab.wrong.join()).toContain("policy: script-src-attr");
  await expect.poll(() => tab.wrong.join()).toContain("policy: img-src");
  await expect.poll(() => foreign(tab.page)).toHaveLength(2);
  await tab.close();
});

test("the corpus is carried by runs", async () => {
  expect(corpus.length).toBeGreaterThanOrEqual(100);
  for (const [at, text] of corpus.entries()) await begin(text, at);
  expect(runs.size).toBe(corpus.length);
}, 240_000);

test("errors, labels, keys and events", async () => {
  const page = await it.open("/runs", { as: "admin" });
  for (const [id, text] of runs) {
    await goTo(page, id, "/events?node=say");
    await see(page.locator(".panel .facts"));
    await see(page.getByRole("table", { name: "Events" }));
    if (Number(id.slice(1)) % 2 === 0) {
      // It is there, as it was written, but for what makes no difference to the eye.
      const said = await page.locator(".said-box pre").innerText();
      expect(said.replace(/\s+/g, " ")).toContain(text.trim().slice(0, 20).replace(/\s+/g, " ").trim());
    }
    expect(await foreign(page)).toEqual([]);
  }
}, 240_000);

test("inputs, outputs and contexts", async () => {
  const page = await it.open("/runs", { as: "admin" });
  for (const id of runs.keys()) {
    await goTo(page, id, "/data?node=");
    await see(page.locator(".payload").first());
    expect(await foreign(page)).toEqual([]);
    await goTo(page, id, "/context?node=");
    await see(page.getByText("text", { exact: true }).first());
    expect(await foreign(page)).toEqual([]);
  }
}, 240_000);

test("lists: runs, attention, audit, and the last inputs", async () => {
  for (const text of corpus) await it.service.ask("POST", "/runs/x0/stop", { why: text.slice(0, 400) }).catch(() => null);
  const page = await it.open("/runs", { as: "admin" });
  const screens: [path: string, list: string][] = [["/runs", ".virtual"], ["/attention", "main"], ["/audit", ".virtual"]];
  for (const [path, list] of screens) {
    await page.goto(it.service.url + path);
    await see(page.getByText(/evil|alert|x0/).first());
    const box = page.locator(list).first();
    for (let top = 0; top < 12_000; top += 500) {
      await box.evaluate((element, top) => { (element.scrollHeight > element.clientHeight ? element : document.documentElement).scrollTop = top; }, top);
      expect(await foreign(page)).toEqual([]);
    }
  }
  for (const id of ["x0", "x17", "x33", "x100"]) {
    await page.goto(`${it.service.url}/flows/echo/start?from=${id}`);
    await expect.poll(() => page.getByLabel("text").inputValue()).not.toBe("");
    expect(await foreign(page)).toEqual([]);
  }
}, 240_000);

test("names of tokens, and addresses", async () => {
  for (const name of corpus.slice(0, 60)) await it.service.ask("POST", "/tokens", { name: name.slice(0, 100), scopes: ["viewer"] }).catch(() => null);
  const page = await it.open("/tokens", { as: "admin" });
  await see(page.getByText("<script>alert(1)</script>").first());
  expect(await foreign(page)).toEqual([]);
  for (const text of corpus.slice(0, 25)) {
    const part = encodeURIComponent(text.slice(0, 100));
    for (const path of [`/runs/${part}`, `/runs?flow=${part}&q=${part}&label=${part}`, `/flows/${part}`, `/${part}`, `/audit?q=${part}`]) {
      await page.goto(it.service.url + path);
      await see(page.locator("main h1, main .state, main .virtual").first());
      expect(await foreign(page)).toEqual([]);
    }
  }
}, 240_000);

test("logs, keys and values of the context, items and their errors, what polls wait for", async () => {
  const texts = corpus.map((text, at) => `${at} ${text.slice(0, 200)}`);
  const id = await it.service.run("mirror", texts, { id: "mirror" });
  await it.service.until(id, "succeeded", "failed");
  const page = await it.open("/runs", { as: "admin" });
  await goTo(page, id, "?node=keep");
  const logs = page.getByRole("table", { name: "Logs" });
  await scrolled(page, logs, texts.length);
  await goTo(page, id, "?node=keep&line=17");
  await see(page.getByRole("group", { name: "Line 17" }));
  await goTo(page, id, "?node=each");
  await scrolled(page, page.getByRole("table", { name: "Items" }), texts.length);
  const item = page.getByRole("table", { name: "Items" }).getByRole("button").first();
  await item.click();
  await page.getByRole("button", { name: "look" }).click();
  await see(page.locator(".said-box"));
  expect(await foreign(page)).toEqual([]);
  await goTo(page, id, "?node=say");
  await page.getByRole("button", { name: /earlier polls/ }).click();
  await see(page.locator(".call-why").filter({ hasText: texts.at(-2) ?? "" }));
  expect(await foreign(page)).toEqual([]);
  await goTo(page, id, "/context?node=");
  await see(page.getByRole("cell", { name: texts[1] ?? "" }).first());
  expect(await foreign(page)).toEqual([]);
  await goTo(page, id, "/events?node=");
  await scrolled(page, page.getByRole("table", { name: "Events" }), texts.length);
}, 240_000);

test("reasons, signals and what was sent by hand", async () => {
  const page = await it.open("/runs", { as: "admin" });
  for (const [at, text] of corpus.entries()) {
    if (at % 4 !== 0) continue;
    const id = await it.service.run("expense", { what: text, cents: at });
    await it.service.ask("POST", `/runs/${id}/pause`, { why: text.slice(0, 400) });
    await it.service.ask("POST", `/runs/${id}/resume`, {});
    await it.service.ask("POST", `/runs/${id}/signals/answer`, { approved: true, by: text });
    await it.service.until(id, "succeeded");
    const { id: retried } = await it.service.ask<{ id: string }>("POST", `/runs/${id}/fork`, { node: "ask", why: text.slice(0, 400) });
    await goTo(page, retried, "/events?node=ask");
    await see(page.locator(".run-origin"));
    await goTo(page, id, "/events?node=answer");
    await see(page.getByRole("table", { name: "Events" }).getByText(/pause/i).first());
    expect(await foreign(page)).toEqual([]);
  }
}, 240_000);
