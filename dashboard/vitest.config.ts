import { defineConfig } from "vitest/config";

// Only pure logic is tested here; what is on the screen is tested in a browser against a real service.
export default defineConfig({ test: { include: ["src/**/*.test.ts"], environment: "node" } });
