// The dashboard wherever it is mounted, behind whatever stands before it.
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTab } from "./support/browser";
import { Showcase } from "./support/showcase";
import { place, see, stage } from "./support/test";

describe("below a path of the service", () => {
  const it = stage({ fill: true, basePath: "/ops/vastflow" });

  test("all screens, deep ones first", async () => {
    const page = await it.open("/flows/checkout/start");
    await expect.poll(() => page.url()).toContain("/ops/vastflow/flows/checkout/start");
    await see(page.getByLabel("customer"));
    await place(page, "Attention").click();
    await see(page.getByRole("link", { name: "import-0" }));
    expect(new URL(page.url()).pathname).toBe("/ops/vastflow/attention");
    await page.reload();
    await see(page.getByRole("link", { name: "import-0" }));
    await page.goBack();
    await see(page.getByLabel("customer"));
  });

  test("the path without a slash at its end is the overview, too", async () => {
    const page = await it.open("");
    await see(page.getByRole("heading", { name: "Overview" }));
  });
});

describe("behind a proxy that takes a prefix away", () => {
  const prefix = "/ops/vastflow";
  let service: Showcase;
  let front = "";
  const proxy = createServer((asked, answer) => {
    const path = asked.url ?? "";
    if (!path.startsWith(`${prefix}/`)) { answer.writeHead(404).end(); return; }
    const { hostname, port } = new URL(service.url);
    const onward = request({ hostname, port, path: path.slice(prefix.length), method: asked.method, headers: asked.headers }, (said) => {
      answer.writeHead(said.statusCode ?? 502, said.headers).flushHeaders();
      said.pipe(answer);
    });
    onward.on("error", () => { answer.destroy(); });
    answer.on("close", () => { onward.destroy(); });
    asked.pipe(onward);
  });

  beforeAll(async () => {
    service = await Showcase.start({ tokens: true });
    await new Promise<void>((done) => { proxy.listen(0, "127.0.0.1", done); });
    front = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await service.end();
  });

  test("a link signs in, and a deep page is live", async () => {
    const tab = await openTab(front);
    await tab.page.goto(`${front}${prefix}/flows/expense/start#token=${service.tokens.operator ?? ""}`);
    await tab.page.getByLabel("what").fill("a chair");
    await tab.page.getByLabel("cents").fill("100");
    await tab.page.getByRole("button", { name: "Start", exact: true }).click();
    await tab.page.waitForURL(`${front}${prefix}/runs/*`);
    await tab.page.goto(`${front}${prefix}/attention`);
    await see(tab.page.locator('[data-live="live"]'));
    expect(tab.wrong).toEqual([]);
    await tab.close();
  });
});
