import { expect, test } from "vitest";
import { place, read, see, stage } from "./support/test";

const it = stage({ tokens: true, fill: true });

test("a link signs in, and its token does not stay in the address or anywhere a script can read", async () => {
  const page = await it.open("/flows", { as: "operator" });
  await see(page.getByRole("link", { name: "checkout" }));
  await expect.poll(() => page.url()).toBe(`${it.service.url}/flows`);
  const token = it.service.tokens.operator ?? "";
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, document.documentElement.outerHTML]));
  expect(kept).not.toContain(token);
  expect(await page.evaluate(() => document.cookie)).toBe("");
  await page.reload();
  await see(page.getByRole("link", { name: "checkout" }));
});

test("who has no session is asked for a token, and a wrong one is told", async () => {
  const page = await it.open("/attention");
  const field = page.getByLabel("Token");
  await field.fill("the token – vastflow_live_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await see(page.getByText("This is no token"));
  await field.fill("vastflow_live_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await see(page.getByRole("alert").filter({ hasNotText: "This is no token" }));
  expect(await field.inputValue()).toBe("");
  await field.fill(it.service.tokens.viewer ?? "");
  await page.keyboard.press("Enter");
  await see(page.getByRole("heading", { name: "Attention" }));
});

test("a link in a tab that shows the dashboard already makes it somebody else's, if that is meant", async () => {
  const page = await it.open("/flows", { as: "viewer" });
  await see(page.getByRole("button", { name: /viewer/ }));
  const byLink = () => page.evaluate((token) => { location.hash = `token=${token}`; }, it.service.tokens.admin ?? "");
  await byLink();
  await page.getByRole("button", { name: "Stay as you are" }).click();
  await see(page.getByRole("button", { name: /viewer/ }));
  await byLink();
  await see(page.getByText("\"viewer\" is signed in here"));
  await page.getByRole("button", { name: "Sign in by the link" }).click();
  await see(page.getByRole("button", { name: /admin/ }));
  expect(new URL(page.url()).hash).toBe("");
});

test("signing out ends the session at the service, too", async () => {
  const page = await it.open("/flows", { as: "operator" });
  await page.getByRole("button", { name: /operator/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await see(page.getByLabel("Token"));
  expect(await page.evaluate(async () => (await fetch("api/v1/me")).status)).toBe(401);
});

test("a session that ends while the page is open leads to the sign-in, and back to the same page", async () => {
  const page = await it.open("/flows/checkout", { as: "operator" });
  await see(page.getByRole("heading", { name: "checkout" }));
  await page.context().clearCookies();
  await page.getByRole("link", { name: "Workers" }).click();
  await page.getByLabel("Token").fill(it.service.tokens.operator ?? "");
  await page.keyboard.press("Enter");
  await see(page.getByRole("heading", { name: "Workers and queues" }));
});

test("a viewer is not offered what the service would refuse, and is refused when asking all the same", async () => {
  const page = await it.open("/flows/checkout", { as: "viewer" });
  await see(page.getByRole("heading", { name: "checkout" }));
  expect(await page.getByRole("link", { name: "Start a run" }).count()).toBe(0);
  expect(await page.getByRole("link", { name: "Audit" }).count()).toBe(0);
  await place(page, "Attention").click();
  await see(page.getByRole("link", { name: "order-7" }));
  expect(await page.getByRole("button", { name: /^Retry/ }).count()).toBe(0);
  const status = await page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    return (await fetch("api/v1/runs/order-7/retry", { method: "POST", headers, body: "{}" })).status;
  });
  expect(status).toBe(403);
});

test("an operator who opens the audit log's address is told why it is not shown", async () => {
  const page = await it.open("/audit", { as: "operator" });
  await see(page.getByRole("alert"));
  await read(page, /admin/);
});

test("tokens are made, shown once, and revoked", async () => {
  const page = await it.open("/tokens", { as: "admin" });
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByLabel("For whom").fill("bob");
  await page.getByRole("button", { name: "Make it" }).click();
  const token = (await (await see(page.locator(".token-made code"))).textContent()) ?? "";
  expect(token).toMatch(/^vastflow_live_/);
  const status = (token: string) => fetch(`${it.service.url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } }).then((answer) => answer.status);
  expect(await status(token)).toBe(200);
  await page.getByRole("button", { name: "Done" }).click();
  expect(await page.content()).not.toContain(token);
  await page.getByRole("button", { name: /^Revoke bob/ }).click();
  await page.getByRole("button", { name: "Revoke", exact: true }).click();
  await read(page, /good for nothing any more/);
  expect(await status(token)).toBe(401);
});
