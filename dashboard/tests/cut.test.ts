// What a tab does when the service is gone, and when it is there again.
import { expect, test } from "vitest";
import { see, stage } from "./support/test";

const it = stage({ fill: true });

test("a tab says that it lost the service, and goes on by itself when that is back", async () => {
  const page = await it.open("/attention");
  await see(page.locator('[data-live="live"]'));
  await see(page.getByRole("link", { name: "import-0" }));
  await it.service.kill();
  await see(page.locator('[data-live="reconnecting"]'));
  await see(page.locator(".stale").getByText("Reconnecting: what is shown may be old"));
  // What it knew stays in sight.
  await see(page.getByRole("link", { name: "import-0" }));
  await it.service.start();
  await see(page.locator('[data-live="live"]'));
  const run = await it.service.run("import", { name: "after.csv", fails: 2 });
  await see(page.getByRole("link", { name: run }));
  await expect.poll(() => page.url()).toBe(`${it.service.url}/attention`);
});

test("a screen that is opened while the service is gone says so and offers to try again", async () => {
  const page = await it.open("/workers");
  await see(page.getByText("alive", { exact: true }));
  // All screens are fetched soon after the first.
  await page.waitForFunction(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("Tokens")));
  await it.service.kill();
  await page.getByRole("link", { name: "Audit" }).click();
  await see(page.getByText("The service cannot be reached"));
  await it.service.start();
  await page.getByRole("button", { name: "Try again" }).click();
  await see(page.getByText("Nothing was changed yet"));
});
