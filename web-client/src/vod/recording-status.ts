import type { Recording } from './recording.ts';

/** What a streamer is told of the recording of a broadcast. */
export interface StatusView {
  state: Recording['state'];
  word: string;
  text: string;
  /** How much is recorded, while it grows. */
  durationMs: number | null;
  /** Whether moments can be marked. */
  canMark: boolean;
  /** The recording that there is to watch. */
  broadcast: string | null;
}

/**
 * Follows the recording of the broadcast that this page publishes, among those of the channel: what was already over when it
 * went live is another one's.
 */
export class RecordingTracker {
  #earlier: ReadonlySet<string> | null = null;
  #mine: Recording | null = null;

  /** A broadcast begins. */
  begin(): void {
    this.#earlier = null;
    this.#mine = null;
  }

  get current(): Recording | null {
    return this.#mine;
  }

  /** Takes the channel's recordings, the latest first. */
  take(recordings: readonly Recording[]): void {
    this.#earlier ??= new Set(
      recordings.filter(({ state }) => state !== 'recording').map(({ broadcast }) => broadcast),
    );
    const earlier = this.#earlier;
    const mine = this.#mine?.broadcast;
    this.#mine =
      recordings.find(({ broadcast }) => broadcast === mine) ??
      recordings.find(({ broadcast }) => !earlier.has(broadcast)) ??
      null;
  }
}

export function describeStatus(recording: Recording, isLive: boolean): StatusView {
  const { state, problem, durationMs, broadcast } = recording;
  const view = { state, durationMs: null, canMark: false, broadcast: null };
  switch (state) {
    case 'recording':
      return { ...view, word: 'Recording', text: problem, durationMs, canMark: isLive };
    case 'finishing':
      return { ...view, word: 'Finishing', text: 'The recording is being made ready.' };
    case 'ready':
      return { ...view, word: 'Recorded', text: '', broadcast };
    case 'failed':
      return { ...view, word: 'Not recorded', text: problem || 'The recording failed.' };
  }
}
