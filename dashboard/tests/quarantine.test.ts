// A call that takes its workers with it. Only where workers share a store is it known of a dead one what it had in hand.
import { test } from "vitest";
import { gone, read, see, stage } from "./support/test";

const it = stage({ trials: true });

test("a call that ended its worker is not made again, but listed until somebody decides", async () => {
  const id = "cup";
  // It may end before it answered.
  await it.service.run("poison", null, { id }).catch(() => null);
  await it.service.ended();
  await it.service.start();
  const page = await it.open("/attention");
  const group = page.getByRole("region", { name: /Quarantined/ });
  await see(group.getByRole("link", { name: id, exact: true }));
  await see(group.getByText(/ended|went down|died/).first());
  await group.getByRole("link", { name: id, exact: true }).click();
  await see(page.getByRole("complementary", { name: "Node drink" }));
  await page.goBack();
  await group.getByRole("button", { name: `Mark done drink ${id}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/^Why/).fill("it was drunk by hand");
  await dialog.getByRole("button", { name: "Mark done" }).click();
  await gone(page.getByRole("link", { name: id, exact: true }));
  await it.service.until(id, "succeeded");
  await read(page, "Nothing waits for you");
});
