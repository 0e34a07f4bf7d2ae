// What waits for a person, and why: what nobody sent, and what nobody has the code of.
import { expect, test } from "vitest";
import { gone, read, see, stage } from "./support/test";

const it = stage({ pace: 20, trials: true });

test("a node that waits for its signal for long is listed, and sent what it waits for", async () => {
  const id = await it.service.run("expense", { what: "a kettle", cents: 2_900 });
  const page = await it.open("/attention");
  await read(page, "Nothing waits for you");
  // An hour is long for a person. To these it is no time at all: the service is asked the same, of a shorter wait.
  await page.route("**/api/v1/attention?*", (route) => route.continue({ url: `${route.request().url()}&signal_after_ms=0` }));
  await page.reload();
  const group = page.getByRole("region", { name: /No signal yet/ });
  await see(group.getByRole("link", { name: id, exact: true }));
  await see(group.getByText('it waits for the signal "answer"'));
  await group.getByRole("button", { name: `Signal answer ${id}` }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByLabel("Signal", { exact: true }).inputValue()).toBe("answer");
  await dialog.getByLabel("What it carries, as JSON").fill('{"approved": true, "by": "ann"}');
  await dialog.getByRole("button", { name: "Send" }).click();
  await gone(page.getByRole("link", { name: id, exact: true }));
  await it.service.until(id, "succeeded");
});

test("a run whose undo action failed opens on what cannot be taken back, and somebody decides there", async () => {
  const order = { customer: "stuck", items: ["a"], cents: 100, delivery: "pickup", fail_at: "charge" };
  const id = await it.service.run("checkout", order);
  await it.service.until(id, "needs-attention");
  const page = await it.open(`/runs/${id}`);
  await read(page, /waits for a decision: its undo action failed/);
  const panel = page.getByRole("complementary", { name: "Node reserve" });
  await see(panel.getByText("the warehouse does not know the reservation any more").first());
  await panel.getByRole("button", { name: "Skip" }).click();
  await page.getByRole("dialog").getByLabel(/^Why/).fill("the warehouse was rebuilt");
  await page.getByRole("dialog").getByRole("button", { name: "Skip" }).click();
  await see(page.locator(".run-title .status").filter({ hasText: "failed" }));
  await gone(panel.getByRole("button", { name: "Skip" }));
});

test("runs whose code no worker has are counted, and the run says what is missing", async () => {
  const texts = Array.from({ length: 200 }, (_, n) => `no ${n}`);
  const id = await it.service.run("mirror", texts);
  await it.service.kill();
  await it.service.startWithout("--trials");
  const page = await it.open("/attention");
  const group = page.getByRole("region", { name: /No code/ });
  await see(group.getByText("1 runs"));
  await see(group.getByRole("link", { name: "mirror" }));
  await see(group.getByText(/no worker that is alive has .+; start one that has/));
  expect(await group.getByRole("button").count()).toBe(0);
  await page.goto(`${it.service.url}/runs/${id}`);
  await read(page, /no worker has the code of ./);
});
