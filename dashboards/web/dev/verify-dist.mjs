// Fails unless dist/ is, byte for byte, what the sources give.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const fresh = await mkdtemp(join(tmpdir(), "aura-dist-"));
try {
  await build({ root, logLevel: "warn", build: { outDir: fresh, emptyOutDir: true } });
  const built = await contents(fresh);
  const committed = await contents(join(root, "dist"));
  const names = [...new Set([...built.keys(), ...committed.keys()])].sort();
  const different = names.filter((name) => !built.get(name)?.equals(committed.get(name) ?? Buffer.alloc(0)));
  if (different.length > 0) {
    console.error(
      `dashboards/web/dist is not what the sources give: ${different.join(", ")}. Run npm run build there and commit it.`,
    );
    process.exitCode = 1;
  } else {
    console.log(`dist is what the sources give: ${names.join(", ")}`);
  }
} finally {
  await rm(fresh, { recursive: true });
}

async function contents(folder) {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(files.map(async (file) => [file.slice(folder.length + 1), await readFile(file)])));
}
