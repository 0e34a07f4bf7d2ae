import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { hearTime, serviceNow } from "./now";

const HERE = Date.UTC(2026, 10, 22, 12);
const said = (ms: number) => new Date(HERE + ms).toUTCString();

beforeEach(() => { vi.useFakeTimers({ toFake: ["Date"], now: HERE }); hearTime(said(0)); });
afterEach(() => { vi.useRealTimers(); });

test("a clock that is off is set by the service's, and stays so for answers that take a little longer", () => {
  hearTime(said(600_000));
  expect(serviceNow()).toBe(HERE + 600_500);
  hearTime(said(598_000));
  expect(serviceNow()).toBe(HERE + 600_500);
  hearTime(said(-600_000));
  expect(serviceNow()).toBe(HERE - 599_500);
  hearTime(said(1_000));
  expect(serviceNow()).toBe(HERE);
});

test("an answer that does not say the time changes nothing", () => {
  hearTime(said(600_000));
  for (const nothing of [null, "", "soon"]) hearTime(nothing);
  expect(serviceNow()).toBe(HERE + 600_500);
});
