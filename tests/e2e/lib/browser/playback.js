/**
 * Watches, inside a page, how its video element plays: each picture with its timecode, when the position stood still, when beeps
 * were heard. Runs before the page's own scripts, with `TimecodeReader` in front of it.
 */
/* global TimecodeReader */
(() => {
  /** Pictures are read so far apart at least, in milliseconds: reading takes the processor's time, too. */
  const READ_EVERY_MS = 120;
  /** The position is looked at so often. */
  const LOOK_MS = 50;
  /** A position that stands for less isn't noted. */
  const NOTED_MS = 150;
  /** How much louder a beep is than all else. */
  const BEEP = 0.12;

  /** Shown pictures that were read: when they were due (Unix milliseconds), and what their timecode says. */
  const pictures = [];
  /** Times for which the position stood still while it should have gone on: when they began (Unix milliseconds), and how long. */
  const stands = [];
  /** When beeps began, in Unix milliseconds. */
  const beeps = [];
  /** What went wrong: the element's errors, and states of the page other than `playing`. */
  const troubles = [];
  /** Pictures that were shown, those before the one that was shown before them, and sizes, each once in a row. */
  const counts = { shown: 0, backwards: 0, sizes: [] };
  let began = false;

  window.playback = { pictures, stands, beeps, troubles, counts, begin, listen };

  const unix = (at) => performance.timeOrigin + at;

  /** From now on it should play on and on. */
  function begin() {
    const video = document.querySelector('video');
    began = true;
    follow(video);
    look(video);
    video.addEventListener('error', () => troubles.push(`error: ${video.error?.message}`));
    new MutationObserver(() => {
      const { state } = document.documentElement.dataset;
      if (began && state !== 'playing') troubles.push(`state: ${state}`);
    }).observe(document.documentElement, { attributeFilter: ['data-state'] });
  }

  function follow(video) {
    const reader = new TimecodeReader();
    let readAt = 0;
    let latest = -1;
    const shown = (now, { expectedDisplayTime, mediaTime, width, height }) => {
      counts.shown += 1;
      if (mediaTime < latest) counts.backwards += 1;
      latest = mediaTime;
      const size = `${width}x${height}`;
      if (counts.sizes.at(-1) !== size) counts.sizes.push(size);
      if (now - readAt >= READ_EVERY_MS) {
        readAt = now;
        const timecode = reader.read(video);
        if (timecode !== null)
          pictures.push({ at: unix(expectedDisplayTime), timecode, mediaTime });
      }
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }

  /** How long the position stood, by looks at it: what comes late of them is this page's doing, not the player's. */
  function look(video) {
    let position = video.currentTime;
    let lookedAt = performance.now();
    let stood = 0;
    setInterval(() => {
      const now = performance.now();
      const passed = Math.min(now - lookedAt, 2 * LOOK_MS);
      lookedAt = now;
      if (video.currentTime === position) {
        stood += passed;
        return;
      }
      position = video.currentTime;
      if (stood >= NOTED_MS) stands.push({ at: unix(now - stood), ms: Math.round(stood) });
      stood = 0;
    }, LOOK_MS);
  }

  /** Listens to the element; what it plays is heard no more. */
  async function listen() {
    const video = document.querySelector('video');
    video.muted = false;
    const context = new AudioContext({ latencyHint: 'interactive' });
    const worklet = `registerProcessor('beep-finder', class extends AudioWorkletProcessor {
      quiet = sampleRate;
      process([[samples]]) {
        if (!samples) return true;
        samples.forEach((sample, i) => {
          if (Math.abs(sample) < ${BEEP}) return void (this.quiet += 1);
          if (this.quiet > sampleRate / 2) this.port.postMessage((currentFrame + i) / sampleRate);
          this.quiet = 0;
        });
        return true;
      }
    });`;
    const script = URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' }));
    await context.audioWorklet.addModule(script);
    const finder = new AudioWorkletNode(context, 'beep-finder');
    finder.port.onmessage = ({ data }) => {
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      beeps.push(unix(performanceTime + (data - contextTime) * 1_000));
    };
    context.createMediaElementSource(video).connect(finder).connect(context.destination);
    await context.resume();
  }
})();
