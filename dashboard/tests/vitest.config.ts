import { defineConfig } from "vitest/config";

// A browser against a real service with real flows. Where the store matters, the same tests run on each store.
const common = {
  testTimeout: 240_000,
  hookTimeout: 120_000,
  // What is polled for comes within seconds, not within the one second of the default.
  expect: { poll: { timeout: 30_000 } },
  // One browser and one service at a time, a file its own: what waits for another's processor says nothing.
  fileParallelism: false,
  pool: "threads",
} as const;

/** What there is only where workers share a store. */
const fleet = ["tests/quarantine.test.ts"];

export default defineConfig({
  test: {
    fileParallelism: false,
    projects: [
      { test: { ...common, name: "sqlite", include: ["tests/**/*.test.ts"], exclude: fleet, env: { STORE: "sqlite" } } },
      {
        test: {
          ...common, name: "postgres", include: ["tests/drive.test.ts", ...fleet], env: { STORE: "postgres" },
          globalSetup: ["tests/support/postgres.ts"],
        },
      },
    ],
  },
});
