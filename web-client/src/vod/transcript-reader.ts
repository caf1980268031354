import { backoffMs } from '../shared/backoff.ts';
import { isTransient, toProblem } from '../shared/problem.ts';
import type { Transcript } from './transcript.ts';

/** Not asked for yet or not to its end, read to its end, tried again by itself, or not to be had. */
export type Reading = 'begun' | 'whole' | 'failing' | 'refused';

export interface ReaderPorts {
  /** Whether what there is should be read to its end. */
  isWanted: () => boolean;
  /** Something was read, or couldn't be. */
  onChange: () => void;
  random: () => number;
}

/** Reads a transcript whenever it's asked to, a part at a time, and again after a while where that fails. */
export class TranscriptReader {
  readonly #transcript: Transcript;
  readonly #ports: ReaderPorts;
  #state: Reading = 'begun';
  #isReading = false;
  /** Asked meanwhile: what is read now may have been answered before. */
  #isAskedAgain = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(transcript: Transcript, ports: ReaderPorts) {
    this.#transcript = transcript;
    this.#ports = ports;
  }

  get state(): Reading {
    return this.#state;
  }

  /** There may be more by now, or more is wanted. What failed waits for its time all the same. */
  ask(): void {
    this.#isAskedAgain = this.#isReading;
    if (this.#isReading || this.#timer !== undefined) return;
    this.#isReading = true;
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      let hasMore = true;
      do {
        hasMore = await this.#transcript.readOn();
        this.#failures = 0;
      } while (hasMore && this.#ports.isWanted());
      this.#state = hasMore ? 'begun' : 'whole';
    } catch (error) {
      this.#failed(error);
    }
    this.#isReading = false;
    this.#ports.onChange();
    if (this.#isAskedAgain && this.#failures === 0) this.ask();
  }

  #failed(error: unknown): void {
    const problem = toProblem(error);
    this.#failures += 1;
    this.#state = isTransient(problem) ? 'failing' : 'refused';
    if (this.#state === 'refused') return;
    const pause = backoffMs(this.#failures, problem.retryAfterMs, this.#ports.random);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.ask();
    }, pause);
  }
}
