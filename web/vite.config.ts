import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The page of `spar ui`. `SPAR_UI_OUT` is the build's own: it builds aside and moves what is whole. */
export default defineConfig({
  root: here("."),
  base: "/",
  publicDir: here("public"),
  cacheDir: here("../node_modules/.cache/vite"),
  // Relative imports of types only lead into ../src.
  server: { fs: { allow: [here("..")] } },
  build: {
    outDir: process.env["SPAR_UI_OUT"] ?? here("../dist/ui"),
    emptyOutDir: true,
    target: "es2022",
    // Inlined assets would be data: URLs, which the content policy has for images only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
