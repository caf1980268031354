/* global sampleRate, currentFrame, AudioWorkletProcessor, registerProcessor */

/** What is no louder isn't heard; the demo's hum is five times as loud. */
const SILENT = 0.004;

/** Tells from when to when there was silence, in milliseconds of the context; one that lasts is told every second. */
class SilenceFinder extends AudioWorkletProcessor {
  #from = null;
  #toldAt = 0;

  process([input]) {
    const samples = input[0];
    const isSilent = !samples || !samples.some((sample) => Math.abs(sample) > SILENT);
    const now = (currentFrame / sampleRate) * 1000;
    if (isSilent) {
      this.#from ??= now;
      if (now - Math.max(this.#from, this.#toldAt) >= 1_000) this.#tell(now);
    } else if (this.#from !== null) {
      this.#tell(now);
      this.#from = null;
    }
    return true;
  }

  #tell(now) {
    this.#toldAt = now;
    this.port.postMessage([this.#from, now]);
  }
}

registerProcessor('silence-finder', SilenceFinder);
