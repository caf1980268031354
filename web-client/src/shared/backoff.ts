/** First pause before a new attempt. */
const BASE_MS = 500;
/** Longest pause, unless the server asks for more. */
const MAX_MS = 15_000;
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
): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 10);
  const pause = Math.min(BASE_MS * 2 ** exponent, MAX_MS);
  const asked = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return Math.round(asked + pause / 2 + (random() * pause) / 2);
}
