/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits until `condition` gives something truthy, and returns it.
 *
 * @template T
 * @param {string} what for the error
 * @param {() => T | Promise<T>} condition
 */
export async function until(what, condition, { timeout = 15_000, interval = 50 } = {}) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain: ${what}`);
    await sleep(interval);
  }
}

/** The value below which this share (0 to 1) of the sorted values lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
