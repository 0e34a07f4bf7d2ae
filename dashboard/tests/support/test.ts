// A test with a service and a tab. After each test the tab must not have done what it must never do.
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { endBrowser, openTab, type Tab } from "./browser";
import { Showcase, type Role, type Wanted } from "./showcase";

export interface Stage {
  readonly service: Showcase;
  /** A tab on the dashboard, at a path; signed in as somebody where tokens are asked for. */
  open(path?: string, options?: BrowserContextOptions & { as?: Role }): Promise<Page>;
  /** What the tabs of this test did that they must not. */
  readonly wrong: readonly string[];
}

/** The service and the tabs of a file's tests. */
export function stage(wanted: Wanted = {}): Stage {
  let service: Showcase | null = null;
  let tabs: Tab[] = [];
  const wrong = () => tabs.flatMap((tab) => tab.wrong);
  beforeAll(async () => { service = await Showcase.start(wanted); });
  afterEach(async () => {
    const found = wrong();
    await Promise.all(tabs.map((tab) => tab.close()));
    tabs = [];
    expect(found).toEqual([]);
  });
  afterAll(async () => {
    await service?.end();
    await endBrowser();
  });
  const running = () => { if (!service) throw new Error("it has not begun"); return service; };
  return {
    get service() { return running(); },
    get wrong() { return wrong(); },
    async open(path = "/", { as, ...options } = {}) {
      const { url, tokens } = running();
      const tab = await openTab(url, options);
      tabs.push(tab);
      const token = as === undefined ? "" : `#token=${tokens[as] ?? ""}`;
      await tab.page.goto(url + path + token);
      return tab.page;
    },
  };
}

/** Waits until an element is on the page. */
export async function see(locator: Locator): Promise<Locator> {
  await locator.first().waitFor({ state: "visible" });
  return locator;
}

/** Waits until the page says a text somewhere. */
export async function read(page: Page, text: string | RegExp): Promise<void> {
  await see(page.getByText(text));
}

/** A link of the navigation. It may say more than its title: how much waits there. */
export function place(page: Page, title: string): Locator {
  return page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: new RegExp(`^${title}`) });
}

/** Waits until an element is gone. */
export async function gone(locator: Locator): Promise<void> {
  await locator.first().waitFor({ state: "detached" });
}
