import { sleep } from './wait.js';

const INTERVAL_MS = 100;

/**
 * Follows what the node says of a channel's viewers, and what goes through the link, ten times a second.
 *
 * Samples have `at` (Unix milliseconds), `sentBytes` (through the link, all viewers together), and for each viewer, the
 * oldest first, its `estimate` and `delivered` in bits per second, and the width of its layer.
 */
export class Recording {
  #stopped = false;
  samples = [];

  static start({ spillway, link, channel }) {
    const recording = new Recording();
    recording.#running = recording.#run(spillway, link, channel);
    return recording;
  }

  #running;

  async #run(spillway, link, channel) {
    while (!this.#stopped) {
      const [sessions, sentBytes] = await Promise.all([
        viewers(spillway, channel),
        link.sentBytes(),
      ]);
      this.samples.push({ at: Date.now(), sentBytes, viewers: sessions.map(figures) });
      await sleep(INTERVAL_MS);
    }
  }

  async stop() {
    this.#stopped = true;
    await this.#running;
    return this.samples;
  }
}

async function viewers(spillway, channel) {
  const response = await spillway.api(`/api/v1/sessions?channel=${channel}`);
  if (!response.ok) throw new Error(`no sessions: ${response.status} ${await response.text()}`);
  const { items } = await response.json();
  return items.filter(({ role }) => role === 'viewer').sort((a, b) => a.since - b.since);
}

function figures(session) {
  const { estimated_bits_per_second, delivered_bits_per_second, width } = session.figures ?? {};
  return {
    estimate: estimated_bits_per_second,
    delivered: delivered_bits_per_second,
    width,
  };
}
