import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds an agent, or the mock in `dev/`. */
const AGENT = "http://127.0.0.1:9205";

// The agent embeds these files by name and makes content hashes itself, so names stay the same from build to build.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: true,
    rolldownOptions: {
      output: {
        entryFileNames: "app.js",
        chunkFileNames: "app-[name].js",
        assetFileNames: (asset) => (asset.names.some((name) => name.endsWith(".css")) ? "app.css" : "[name][extname]"),
      },
    },
  },
  server: {
    proxy: {
      "/api": AGENT,
      "/ws": { target: AGENT, ws: true },
    },
  },
  // Property tests on a machine that builds beside them take a while; what hangs still ends.
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
