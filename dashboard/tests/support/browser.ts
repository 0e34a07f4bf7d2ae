// A browser, and tabs that notice whatever a page of ours must never do.
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

let browser: Promise<Browser> | null = null;

/** Debian's Chromium. As root it has no sandbox of its own; it sees nothing here but our pages. */
function chrome(): Promise<Browser> {
  browser ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  return browser;
}

export async function endBrowser(): Promise<void> {
  // A test that took too long may still go on: what it opens is another browser's.
  const ended = browser;
  browser = null;
  await (await ended)?.close();
}

export interface Tab {
  page: Page;
  /** What went wrong: dialogs, errors, requests to elsewhere, what the policy forbade. */
  wrong: string[];
  close(): Promise<void>;
}

/** Opens a tab that may ask nobody but `origin`. */
export async function openTab(origin: string, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await (await chrome()).newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  const wrong: string[] = [];
  await context.exposeBinding("tellViolation", (_, text: string) => { wrong.push(`policy: ${text}`); });
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      (window as unknown as { tellViolation: (text: string) => void }).tellViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  // For a machine that does much else: no test waits so long for what it does not get.
  page.setDefaultTimeout(60_000);
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // The browser's own remark about an answer that is no success; tests look at what the page makes of it.
    const isRemark = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isRemark) wrong.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    const url = new URL(request.url());
    const isOwn = url.origin === new URL(origin).origin || url.protocol === "data:" || url.protocol === "blob:";
    if (!isOwn) wrong.push(`request: ${request.url()}`);
  });
  return { page, wrong, close: () => context.close() };
}
