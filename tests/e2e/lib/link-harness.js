import { after, before } from 'node:test';
import { Bench } from './bench.js';
import { EXECUTABLE, launchChromium, openBench } from './chromium.js';
import { canMakeNamespaces, NEAR, SlowLink } from './link.js';
import { Spillway } from './spillway.js';

/** For the `skip` of tests that need a link. */
export const skip = canMakeNamespaces ? false : 'network namespaces need root';

/** A running node, and Chromium at the other end of a link with these conditions. */
export class FarBrowser {
  static async start({ test, conditions }) {
    const parts = new FarBrowser();
    parts.test = test;
    parts.link = await SlowLink.start({ test, conditions });
    parts.spillway = await Spillway.start({ test, host: NEAR });
    parts.bench = await Bench.start(NEAR);
    parts.far = await launchChromium({ executablePath: await parts.link.wrap(EXECUTABLE) });
    /** Opens the bench page at the far end. */
    parts.openFar = () => openBench(parts.far, parts.bench);
    return parts;
  }

  async stop() {
    await this.far?.close();
    await this.bench?.stop();
    await this.spillway?.stop();
    await this.link?.stop();
  }
}

/** The same for a file of tests: filled in before them, taken down after them. */
export function linkHarness(test, conditions) {
  const parts = { test };
  before(async () => {
    if (!skip) parts.setup = await FarBrowser.start({ test, conditions });
  });
  after(() => parts.setup?.stop());
  return parts;
}
