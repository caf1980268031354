/** Runs the falling link once and draws it: `node plot.js FILE.svg`. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { artifact } from './lib/artifacts.js';
import { FarBrowser } from './lib/link-harness.js';
import { CONDITIONS, rateDrop } from './lib/rate-drop.js';
import { plotRateDrop } from './lib/rate-drop-plot.js';

const file = process.argv[2];
if (!file) throw new Error('usage: node plot.js FILE.svg');
const setup = await FarBrowser.start({ test: 'plot', conditions: CONDITIONS });
try {
  const recorded = await rateDrop(setup);
  await fs.mkdir(path.dirname(file), { recursive: true });
  await fs.writeFile(file, plotRateDrop(recorded));
  await fs.writeFile(artifact('plot', 'recorded.json'), JSON.stringify(recorded));
  console.log(JSON.stringify(recorded.figures));
  console.log(`drawn: ${file}`);
} finally {
  await setup.stop();
}
