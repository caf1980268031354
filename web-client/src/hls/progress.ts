/** A picture that stands for so long has stopped. */
const STALL_MS = 1_200;

/** Whether the picture moves, by the position of what plays. */
export class Progress {
  #position: number | null = null;
  #movedAt = -Infinity;
  #moves = false;

  /** Gives the news: it moves, or it has stopped. Null: as before. */
  observe(
    now: number,
    position: number,
    isPaused: boolean,
  ): 'media-flows' | 'media-stalled' | null {
    const before = this.#position;
    this.#position = position;
    // Back to the beginning goes what has no more to play; a picture that the viewer stopped stands for no reason of ours.
    const hasMoved = before !== null && position > before;
    if (hasMoved || isPaused) this.#movedAt = now;
    if (hasMoved && !this.#moves && !isPaused) {
      this.#moves = true;
      return 'media-flows';
    }
    if (this.#moves && now - this.#movedAt >= STALL_MS) {
      this.#moves = false;
      return 'media-stalled';
    }
    return null;
  }
}
