// A run of many nodes: all of it is to be seen at once, and never all of it is on the page.
import { expect, test } from "vitest";
import { see, stage } from "./support/test";

const it = stage({ pace: 1, wide: 1_000 });

test("a graph of a thousand nodes is drawn as a whole, and near by only what is in sight", async () => {
  const id = await it.service.run("wide", null);
  await it.service.until(id, "succeeded");
  const page = await it.open(`/runs/${id}?node=`);
  await see(page.locator(".far, .node"));
  await page.getByRole("button", { name: "Show all" }).click();
  const count = () => page.locator(".node").count();
  await expect.poll(count).toBeLessThan(200);
  const box = await page.locator(".run-graph .graph").boundingBox();
  expect(box).not.toBeNull();
  await page.mouse.move((box?.x ?? 0) + 400, (box?.y ?? 0) + 300);
  for (let at = 0; at < 20; at++) await page.mouse.wheel(0, -120);
  await see(page.locator('.node[data-status="succeeded"]'));
  expect(await count()).toBeLessThan(200);
});
