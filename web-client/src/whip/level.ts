/** How loud the sound of a stream is, 0 to 1. */
export class LevelMeter {
  readonly #audio = new AudioContext();
  readonly #analyser = new AnalyserNode(this.#audio, { fftSize: 1024 });
  readonly #samples = new Float32Array(this.#analyser.fftSize);

  constructor(media: MediaStream) {
    if (media.getAudioTracks().length === 0) return;
    new MediaStreamAudioSourceNode(this.#audio, { mediaStream: media }).connect(this.#analyser);
    void this.#audio.resume();
  }

  /** The loudest sample of the last 20 ms or so, on a scale of 60 decibels. */
  read(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const peak = this.#samples.reduce((max, sample) => Math.max(max, Math.abs(sample)), 0);
    const decibels = 20 * Math.log10(Math.max(peak, 1e-3));
    return 1 + decibels / 60;
  }

  stop(): void {
    void this.#audio.close();
  }
}
