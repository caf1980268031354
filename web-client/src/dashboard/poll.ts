import { backoffMs, type Pauses } from '../shared/backoff.ts';
import { toProblem, type Problem } from '../shared/problem.ts';

/** How often it's asked while all goes well. */
export const POLL_MS = 5_000;
/** Figures that are older aren't of now any more. */
export const STALE_MS = 15_000;
const PAUSES: Pauses = { first: POLL_MS, longest: 60_000 };

/** The statuses of an answer to somebody who may not ask. */
const REFUSALS: readonly number[] = [401, 403];

export interface PollPorts {
  ask: () => Promise<void>;
  isHidden: () => boolean;
  /** The node answered, or `problem` says why it didn't. */
  onAsked: (problem: Problem | null) => void;
  /** Who asks may not. Nothing more is asked. */
  onRefused: (problem: Problem) => void;
  random?: () => number;
}

/**
 * Asks again and again: every 5 s, after longer and longer pauses while it fails, and not while nobody looks.
 *
 * `start` it, `wake` it when somebody looks again, `again` for what can't wait, and `stop` it.
 */
export class Poll {
  readonly #ports: PollPorts;
  #isOn = false;
  /** Of the question under way: another one makes its answer void. */
  #round = 0;
  #failures = 0;
  /** A question was due while nobody looked. */
  #isDue = false;
  #answeredAt: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: PollPorts) {
    this.#ports = ports;
  }

  /** When the node last answered, by `performance.now()`. */
  get answeredAt(): number | null {
    return this.#answeredAt;
  }

  start(): void {
    this.#isOn = true;
    this.#failures = 0;
    this.again();
  }

  stop(): void {
    this.#isOn = false;
    this.#round += 1;
    this.#isDue = false;
    this.#answeredAt = null;
    clearTimeout(this.#timer);
  }

  /** Asks now. */
  again(): void {
    if (!this.#isOn) return;
    clearTimeout(this.#timer);
    this.#isDue = false;
    void this.#ask();
  }

  /** Somebody looks again, or the network is back. */
  wake(): void {
    if (this.#isDue || this.#failures > 0) this.again();
  }

  async #ask(): Promise<void> {
    this.#round += 1;
    const round = this.#round;
    const problem = await this.#ports.ask().then(
      () => null,
      (error: unknown) => toProblem(error),
    );
    if (round !== this.#round) return;
    if (problem !== null && REFUSALS.includes(problem.status)) {
      this.stop();
      this.#ports.onRefused(problem);
      return;
    }
    this.#failures = problem === null ? 0 : this.#failures + 1;
    if (problem === null) this.#answeredAt = performance.now();
    this.#askIn(this.#pause(problem));
    this.#ports.onAsked(problem);
  }

  #pause(problem: Problem | null): number {
    if (problem === null) return POLL_MS;
    const random = this.#ports.random ?? Math.random;
    return backoffMs(this.#failures, problem.retryAfterMs, random, PAUSES);
  }

  #askIn(ms: number): void {
    this.#timer = setTimeout(() => {
      if (this.#ports.isHidden()) this.#isDue = true;
      else this.again();
    }, ms);
  }
}
