/**
 * Watches, inside a page, what a viewer sees and hears: when a new picture came to the screen, and when nothing could be heard.
 * Runs before the page's own scripts. The page's elements are taken as they come and go.
 */
(() => {
  /** When each picture was shown by the element that is on top at the player's centre, in `performance.now()` milliseconds. */
  const frames = [];
  /** From when to when nothing was heard, likewise. */
  const silences = [];
  /** When the page went over to another player, and to which. */
  const switches = [];
  const gains = new Map();
  const sources = [];
  let context = null;
  let listener = null;

  window.continuity = { frames, silences, switches, listen, eventSources: sources };

  // For events that a test wants to happen.
  window.EventSource = class extends EventSource {
    constructor(url) {
      super(url);
      sources.push(this);
    }
  };

  function isOnTop(video) {
    const { left, top, width, height } = video.getBoundingClientRect();
    const there = document.elementsFromPoint(left + width / 2, top + height / 2);
    return there.find((element) => element instanceof HTMLVideoElement) === video;
  }

  function follow(video) {
    video.requestVideoFrameCallback((now) => {
      if (isOnTop(video)) frames.push(now);
      follow(video);
    });
  }

  /** Whether the element is heard at all: capturing leaves that out. */
  function setGain(video) {
    const gain = gains.get(video);
    if (gain) gain.gain.value = video.muted || video.volume === 0 ? 0 : 1;
  }

  for (const name of ['muted', 'volume']) {
    const { get, set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, name);
    Object.defineProperty(HTMLMediaElement.prototype, name, {
      get,
      set(value) {
        set.call(this, value);
        setGain(this);
      },
    });
  }

  /** Listens to what the element plays now. */
  function connect(video) {
    if (context === null) return;
    const stream = video.srcObject ?? video.captureStream();
    const tracks = stream.getAudioTracks();
    if (tracks.length === 0) return;
    gains.get(video)?.disconnect();
    const gain = context.createGain();
    gains.set(video, gain);
    setGain(video);
    context.createMediaStreamSource(new MediaStream(tracks)).connect(gain).connect(listener);
  }

  /** Begins to listen: once the page plays. */
  async function listen(finder) {
    context = new AudioContext();
    const script = new Blob([finder], { type: 'text/javascript' });
    await context.audioWorklet.addModule(URL.createObjectURL(script));
    listener = new AudioWorkletNode(context, 'silence-finder');
    listener.connect(context.destination);
    await context.resume();
    const zero = performance.now() - context.currentTime * 1000;
    listener.port.onmessage = ({ data: [from, to] }) => silences.push([zero + from, zero + to]);
    for (const video of document.querySelectorAll('video')) {
      if (video.readyState > 0) connect(video);
    }
  }

  new MutationObserver(() => {
    const { player } = document.documentElement.dataset;
    if (switches.at(-1)?.[1] !== player) switches.push([performance.now(), player]);
  }).observe(document, { attributeFilter: ['data-player'], subtree: true });

  document.addEventListener('DOMContentLoaded', () => {
    for (const video of document.querySelectorAll('video')) {
      follow(video);
      // What is captured of an element that has just been given another source may stay silent.
      for (const type of ['loadedmetadata', 'playing']) {
        video.addEventListener(type, () => connect(video));
      }
    }
  });
})();
