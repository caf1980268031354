/** The first pause before a new attempt, and the longest, unless the server asks for more; in milliseconds. */
export interface Pauses {
  first: number;
  longest: number;
}

/** For what is missed now. */
export const RETRY: Pauses = { first: 500, longest: 15_000 };

/** The longest a server's Retry-After is honoured; beyond it we ask again. */
const MAX_RETRY_AFTER_MS = 300_000;

/**
 * How long to wait before the next attempt, in milliseconds.
 *
 * The pause doubles with each failure. Half of it is random, so that the viewers of a node that went away do not all
 * come back in the same instant. A server's Retry-After is a lower bound.
 */
export function backoffMs(
  failures: number,
  retryAfterMs: number | null,
  random: () => number,
  { first, longest }: Pauses = RETRY,
): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 10);
  const pause = Math.min(first * 2 ** exponent, longest);
  const asked = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return Math.round(asked + pause / 2 + (random() * pause) / 2);
}
