import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import type { Missing } from "../contract/types";

/** What did not conform to the contract: where in the message, and why. */
export interface Fault {
  path: string[];
  why: string;
}

/** A message with more faults than this is another program's, or another version's. */
const MOST_FAULTS = 50;

/** A check against a schema of `src/contract`. */
export function conformer(schema: unknown): (value: unknown) => Fault[] | null {
  const validator = new Validator(schema as Schema, "2020-12");
  return (value) => leaveOut(value, validator);
}

/**
 * Leaves out of a message what does not conform, with the least that has to go along: the element of a list or the optional member
 * around it. Its faults, in the order in which they were found; null when nothing would be left.
 */
function leaveOut(value: unknown, validator: Validator): Fault[] | null {
  const faults: Fault[] = [];
  while (faults.length < MOST_FAULTS) {
    const errors = errorsIn(value, validator);
    if (!errors) return null;
    if (errors.length === 0) return faults;
    // The errors lead from the whole to the part: the longest place is the part itself.
    const [deepest] = errors.sort((one, other) => other.instanceLocation.length - one.instanceLocation.length);
    const path = (deepest?.instanceLocation ?? "#").split("/").slice(1).map(unescaped);
    if (!remove(value, path)) return null;
    // A required member that was removed takes along what cannot be without it: one fault, not two.
    const last = faults.at(-1);
    if (last && path.every((name, at) => name === last.path[at])) last.path = path;
    else faults.push({ path, why: deepest?.error ?? "" });
  }
  return null;
}

function errorsIn(value: unknown, validator: Validator): OutputUnit[] | null {
  try {
    return validator.validate(value).errors;
  } catch {
    // A name that is half a letter has no place in a pointer.
    return null;
  }
}

function unescaped(name: string): string {
  return decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~");
}

function remove(value: unknown, path: string[]): boolean {
  const name = path.at(-1);
  if (name === undefined) return false;
  const parent = path.slice(0, -1).reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], value);
  if (Array.isArray(parent)) parent.splice(Number(name), 1);
  else delete (parent as Record<string, unknown>)[name];
  return true;
}

/** Tells why something is missing that was left out, where a message says that of its blocks, and in detail on the console. */
export function tell(message: { type: string; missing?: Record<string, Missing> | null }, faults: Fault[]): void {
  for (const { path, why } of faults) {
    const place = (path[0] === "metrics" && path.length > 1 ? path.slice(1) : path).join(".");
    message.missing = {
      ...message.missing,
      [place]: { reason: "unreadable", detail: "the page does not understand what the agent says of it" },
    };
    report(message.type, path, why);
  }
}

/** Tells on the console what was left out. */
export function report(type: string, path: string[], why: string): void {
  const kind = `${type} ${path.map((name) => (/^\d+$/.test(name) ? "*" : name)).join(".")}`;
  if (told.has(kind)) return;
  told.add(kind);
  console.error(`${type}: ${path.join(".")} was left out: ${why} Is the page of another version? Load it anew.`);
}

/** What the console was told already: once a kind, not once a second. */
const told = new Set<string>();
