/** What an answer of the API has, each as what it should be: another page's script may be older or newer than the node. */
export type Fields = Readonly<Record<string, unknown>>;

export function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A number that isn't negative; 0 for anything else. */
export function count(value: unknown): number {
  return countOrNull(value) ?? 0;
}

export function countOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** RFC 3339, or Unix milliseconds as elsewhere in the API. */
export function time(value: unknown): number | null {
  const milliseconds = typeof value === 'number' ? value : Date.parse(text(value));
  return Number.isFinite(milliseconds) ? milliseconds : null;
}
