import { after, before } from 'node:test';
import { Bench } from './bench.js';
import { launchChromium, openBench } from './chromium.js';
import { Spillway } from './spillway.js';

/**
 * Sets up what nearly every test needs: a running node, the bench page's server and Chromium. The object is filled
 * in before the file's tests run, and everything is taken down after them.
 *
 * @param {string} test names the artifacts' directory
 * @param {{ args?: string[], env?: object, browser?: boolean, hls?: boolean, config?: string }} options
 */
export function harness(test, { browser = true, ...options } = {}) {
  const parts = { test };
  before(async () => {
    parts.spillway = await Spillway.start({ test, ...options });
    parts.bench = await Bench.start();
    if (browser) parts.chromium = await launchChromium();
    parts.openBench = () => openBench(parts.chromium, parts.bench);
  });
  after(async () => {
    await parts.chromium?.close();
    await parts.bench?.stop();
    await parts.spillway?.stop();
  });
  return parts;
}
