import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `base: "./"`: nothing that is built knows where it will be mounted. The server makes the paths of index.html right for
// the page that was asked for; scripts find each other by where they are themselves.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    // The dev server stands in front of a service: `VASTFLOW=http://127.0.0.1:8080 npm run dev`.
    proxy: { "/api": { target: process.env.VASTFLOW ?? "http://127.0.0.1:8080" } },
  },
});
