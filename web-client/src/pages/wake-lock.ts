/** Keeps a phone's screen on while something is live: a sleeping phone stops its camera. */
export class WakeLock {
  #wanted = false;
  #sentinel: WakeLockSentinel | null = null;

  constructor() {
    // Browsers take the lock away from hidden pages.
    document.addEventListener('visibilitychange', () => void this.#take());
  }

  want(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted) {
      void this.#take();
    } else {
      void this.#sentinel?.release();
      this.#sentinel = null;
    }
  }

  async #take(): Promise<void> {
    if (!this.#wanted || document.hidden || this.#sentinel?.released === false) return;
    try {
      this.#sentinel = await navigator.wakeLock.request('screen');
      // Meanwhile the broadcast may have ended.
      this.want(this.#wanted);
    } catch {
      // Not on this browser, not on an insecure origin, or not on a low battery: the screen may sleep.
    }
  }
}
