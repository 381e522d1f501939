// The contract with the agent, from the OpenAPI document that it generates (docs/api.openapi.json): types for the compiler and what the page
// checks at its edge. `npm run contract` writes src/contract, with `--check` it fails where that is not what the document gives.

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const DOCUMENT = new URL("../../../docs/api.openapi.json", import.meta.url);
const FOLDER = new URL("../src/contract/", import.meta.url);

/** The files of `src/contract`: `types.ts`, and for each GET that is answered with JSON `OPERATION.schema.json`. */
export async function contract() {
  const { paths, components } = JSON.parse(await readFile(DOCUMENT, "utf8"));
  const schemas = moved(components.schemas);
  const answers = {};
  const files = new Map();
  for (const [path, { get }] of Object.entries(paths)) {
    const answer = get?.responses[200]?.content["application/json"]?.schema;
    if (!answer) continue;
    answers[path] = moved(answer);
    files.set(`${get.operationId}.schema.json`, edge(answers[path], schemas));
  }
  files.set("error.schema.json", edge({ $ref: "#/$defs/ErrorResponse" }, schemas));
  files.set("types.ts", await types(answers, schemas));
  return files;
}

/** What is checked of an answer, with the definitions that it needs. */
function edge(schema, schemas) {
  const needed = new Set();
  const visit = (part) =>
    walk(part, (inside) => {
      const name = inside.$ref?.split("/").at(-1);
      if (name && !needed.has(name)) {
        needed.add(name);
        visit(schemas[name]);
      }
      return inside;
    });
  visit(schema);
  const $defs = Object.fromEntries([...needed].sort().map((name) => [name, schemas[name]]));
  return `${JSON.stringify(atTheEdge({ ...schema, $defs }))}\n`;
}

/** All types, and what is answered at each path. */
function types(answers, schemas) {
  const root = {
    title: "Answers",
    description: "What a GET of each path is answered with.",
    type: "object",
    properties: answers,
    required: Object.keys(answers),
    $defs: schemas,
  };
  return compile(open(root), root.title, {
    additionalProperties: false,
    bannerComment: "// Generated from docs/api.openapi.json: npm run contract.",
    style: { printWidth: 120 },
    unreachableDefinitions: true,
  });
}

/** Definitions lie elsewhere in a schema than in an OpenAPI document. */
function moved(part) {
  return JSON.parse(JSON.stringify(part).replaceAll('"#/components/schemas/', '"#/$defs/'));
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
    const { title, description, format, minimum, maximum, minItems, maxItems, required, ...rest } = part;
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
        `src/contract is not what docs/api.openapi.json gives: ${wrong.join(", ")}. Run npm run contract and commit it.`,
      );
      process.exitCode = 1;
    }
  } else {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const [name, text] of files) await writeFile(new URL(name, FOLDER), text);
  }
}
