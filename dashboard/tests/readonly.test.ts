import { expect, test } from "vitest";
import { see, stage } from "./support/test";

const it = stage({ fill: true, readOnly: true });

test("a service that only shows offers no change, and refuses those that are asked for", async () => {
  const page = await it.open("/attention");
  await see(page.getByRole("link", { name: "import-0", exact: true }));
  expect(await page.getByRole("button", { name: /^(Retry|Skip|Mark done)/ }).count()).toBe(0);
  await page.getByRole("link", { name: "import-0", exact: true }).click();
  await see(page.locator(".panel .said-box"));
  for (const name of ["Retry", "Skip", "Pause", "Stop", "More actions"]) expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
  const answer = await page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch("../api/v1/runs/import-0/kill", { method: "POST", headers, body: '{"why":"x"}' });
    return [answer.status, ((await answer.json()) as { code: string }).code];
  });
  expect(answer).toEqual([403, "read-only"]);
});
