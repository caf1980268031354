import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..', 'artifacts');

/** A file path for something worth keeping of a test: `artifact('watch-states', 'playing.png')`. */
export function artifact(test, name) {
  const dir = path.join(ROOT, test);
  fs.mkdirSync(dir, { recursive: true });
  return path.join(dir, name);
}

/** Keeps measured figures, as JSON, and shows them. */
export function report(test, figures) {
  fs.writeFileSync(artifact(test, 'figures.json'), `${JSON.stringify(figures, null, 2)}\n`);
  console.log(`${test}: ${JSON.stringify(figures)}`);
}
