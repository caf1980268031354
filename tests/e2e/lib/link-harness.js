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
    try {
      await parts.#start(test, conditions);
    } catch (error) {
      await parts.stop();
      throw error;
    }
    return parts;
  }

  async #start(test, conditions) {
    this.test = test;
    this.link = await SlowLink.start({ test, conditions });
    this.spillway = await Spillway.start({ test, host: NEAR });
    this.bench = await Bench.start(NEAR);
    this.far = await launchChromium({ executablePath: await this.link.wrap(EXECUTABLE) });
    /** Opens the bench page at the far end. */
    this.openFar = () => openBench(this.far, this.bench);
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
