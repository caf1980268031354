/** A read-only view for tests and for the curious: see README.md. */
export function expose(read: Readonly<Record<string, () => unknown>>): void {
  const view = {};
  for (const [name, get] of Object.entries(read)) {
    Object.defineProperty(view, name, { enumerable: true, get: () => structuredClone(get()) });
  }
  Object.defineProperty(window, 'spillway', { value: Object.freeze(view) });
}
