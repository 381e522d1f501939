// The contract with the agent, from the schemas that it generates of its messages (docs/api*.schema.json): types for the compiler and
// what the page checks at its edge. `npm run contract` writes src/contract, with `--check` it fails where that is not what the schemas give.

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const DOCS = new URL("../../../docs/", import.meta.url);
const FOLDER = new URL("../src/contract/", import.meta.url);

/** The files of `src/contract`: `system.ts` and `system.schema.json` of `docs/api.schema.json`, and so on. */
export async function contract() {
  const files = new Map();
  for (const file of (await readdir(DOCS)).sort()) {
    const [, name] = /^api(?:\.(\w+))?\.schema\.json$/.exec(file) ?? [];
    // Of the answers that are no feed's message the page reads the history alone, as a type of its own that is not checked.
    if ((name === undefined && file !== "api.schema.json") || name === "answers") continue;
    const feed = name ?? "system";
    const schema = JSON.parse(await readFile(new URL(file, DOCS), "utf8"));
    files.set(`${feed}.ts`, await types(schema, file));
    files.set(`${feed}.schema.json`, `${JSON.stringify(atTheEdge(schema))}\n`);
  }
  return files;
}

function types(schema, file) {
  return compile(open(schema), schema.title, {
    additionalProperties: false,
    bannerComment: `// Generated from docs/${file}: npm run contract.`,
    style: { printWidth: 120 },
  });
}

/** An enumeration may grow: the page knows its words, and shows another one as it is. */
function open(schema) {
  return walk(schema, (part) => {
    // With a description of its own beside it, the same type would come out twice under two names.
    if (part.$ref) return { $ref: part.$ref };
    const words = part.enum ?? part.oneOf?.map((one) => one.const);
    if (!words?.every((word) => typeof word === "string")) return part;
    const { enum: _, oneOf: __, type: ___, ...rest } = part;
    return { ...rest, tsType: [...words.map((word) => JSON.stringify(word)), "(string & {})"].join(" | ") };
  });
}

/**
 * What is checked of a message: which members there are, and of which type. Words and limits are the agent's business, and a member that
 * may be null may as well be left out.
 */
function atTheEdge(schema) {
  return walk(schema, (part) => {
    const words = part.enum ?? part.oneOf?.map((one) => one.const);
    if (words?.every((word) => typeof word === "string")) return { type: "string" };
    const { $schema, title, description, format, minimum, maximum, minItems, maxItems, required, ...rest } = part;
    const needed = required?.filter((name) => !nullable(part.properties?.[name]));
    return needed?.length > 0 ? { ...rest, required: needed } : rest;
  });
}

function nullable(schema) {
  return schema?.type === "null" || schema?.type?.includes?.("null") || schema?.anyOf?.some(nullable);
}

/** The schema with `change` made to it and to each schema inside it, the innermost first. */
function walk(schema, change) {
  if (typeof schema !== "object" || schema === null) return schema;
  const inside = { ...schema };
  for (const key of ["properties", "$defs"]) {
    if (inside[key]) {
      inside[key] = Object.fromEntries(Object.entries(inside[key]).map(([name, part]) => [name, walk(part, change)]));
    }
  }
  for (const key of ["anyOf", "oneOf"]) if (inside[key]) inside[key] = inside[key].map((part) => walk(part, change));
  for (const key of ["items", "additionalProperties"]) if (inside[key]) inside[key] = walk(inside[key], change);
  return change(inside);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await contract();
  const folder = fileURLToPath(FOLDER);
  if (process.argv.includes("--check")) {
    const wrong = [];
    for (const name of new Set([...(await readdir(folder)), ...files.keys()])) {
      const committed = await readFile(new URL(name, FOLDER), "utf8").catch(() => null);
      if (files.get(name) !== committed) wrong.push(name);
    }
    if (wrong.length > 0) {
      console.error(
        `src/contract is not what docs/api*.schema.json give: ${wrong.join(", ")}. Run npm run contract and commit it.`,
      );
      process.exitCode = 1;
    }
  } else {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const [name, text] of files) await writeFile(new URL(name, FOLDER), text);
  }
}
