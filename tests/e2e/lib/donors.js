import { createHmac } from 'node:crypto';
import { sleep } from './wait.js';

const RETRY_MS = 100;
const SECRET = 'a secret for these tests alone';

/** The node's configuration that lets tests tell of donations. */
export const DONORS = `[[chat.sources]]\nname = "shop"\nsecret = "${SECRET}"\nform = "spillway"\n`;

/**
 * Tells a node of a donation, as a payment provider does: `{ status, headers, body }` of its answer. `how`: signed with another secret
 * or `at` another time.
 */
export async function donate(spillway, channel, key, members, how = {}) {
  const { secret = SECRET, at = Date.now() } = how;
  const body = JSON.stringify({ kind: 'donation', name: key, currency: 'EUR', ...members });
  const t = Math.floor(at / 1000);
  const v1 = createHmac('sha256', secret).update(`${t}.${channel}.${key}.${body}`).digest('hex');
  const response = await fetch(spillway.url(`/api/v1/channels/${channel}/events`), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'spillway-signature': `t=${t},v1=${v1}`,
      'idempotency-key': key,
    },
    body,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** A payment provider that tells a node of donations at a steady rate, each until it is answered for good. */
export class Donors {
  /** Where each was put, by its amount, as the node said. */
  places = new Map();
  #telling = [];
  #begun = 0;
  #timer;

  constructor(spillway, channel, perSecond) {
    const tell = (number) => this.#tell(spillway, channel, number);
    const started = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - started) / 1000) * perSecond;
      for (; this.#begun < due; this.#begun += 1) this.#telling.push(tell(this.#begun + 1));
    }, 10);
  }

  /** Begins no more, and waits until all are answered: where they were put, by their amounts. */
  async finish() {
    clearInterval(this.#timer);
    await Promise.all(this.#telling);
    return this.places;
  }

  async #tell(spillway, channel, number) {
    for (;;) {
      const told = donate(spillway, channel, `payment-${number}`, { amount: number });
      const answer = await told.catch(() => null);
      if (answer?.status === 201 || answer?.status === 200) {
        this.places.set(number, answer.body.seq);
        return;
      }
      await sleep(RETRY_MS);
    }
  }
}
