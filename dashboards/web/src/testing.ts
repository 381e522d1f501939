/** What a test has to do with of a message, in place of the whole. */
export function part<T>(value: unknown): T {
  return value as T;
}
