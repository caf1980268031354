import assert from 'node:assert/strict';
import test from 'node:test';
import { linkHarness, skip } from '../lib/link-harness.js';
import {
  CONDITIONS,
  framesOf,
  NARROW,
  publishLayers,
  steadyViewer,
  TOP,
} from '../lib/rate-drop.js';
import { until } from '../lib/wait.js';

const parts = linkHarness('narrow-link', CONDITIONS);

test(
  'a viewer whose link gets narrow goes down to a layer that fits, and up again',
  { skip },
  async (t) => {
    const { spillway, link } = parts.setup;
    const obs = await publishLayers(spillway);
    t.after(() => obs.stop());
    const page = await steadyViewer(parts.setup);
    // How quickly depends on the machine too: `measure/rate-drop.test.js` holds it to bounds.
    const shows = (what, condition) =>
      until(what, async () => condition((await framesOf(page)).slice(-15)), {
        timeout: 40_000,
        interval: 500,
      });
    await link.change(...NARROW);
    await shows('a smaller picture', (frames) => frames.every(({ width }) => width < TOP));
    const moved = (await framesOf(page)).length;
    await until('it moves', async () => (await framesOf(page)).length > moved + 30);
    await link.change('--rate', '10mbit');
    await shows('the large picture', (frames) => frames.every(({ width }) => width === TOP));
    assert.ok(obs.received.keyframeRequests > 0, 'the layers’ keyframes were asked for');
  },
);
