import { capture, type Capture } from '../whip/capture.ts';
import { captureProblem } from '../whip/capture-problem.ts';
import { Publisher } from '../whip/publisher.ts';
import type { PublisherStats } from '../whip/publisher-stats.ts';
import { layeringOf, openPublisherSession, whipEndpoint } from '../whip/session.ts';
import type { Layering } from '../whip/settings.ts';
import { expose } from './expose.ts';
import type { StudioChatLink } from './studio-chat-link.ts';
import type { RecordingStatus } from './studio-recording.ts';
import type { Change, Settings } from './studio-settings.ts';
import { hideStats, showStats } from './studio-stats.ts';
import { Uplink, type Choice } from './studio-uplink.ts';
import type { StudioView } from './studio-view.ts';

const AUDIO_BITRATE = 128_000;

export interface StudioParts {
  channel: string;
  settings: Settings;
  view: StudioView;
  recording: RecordingStatus;
  chat: StudioChatLink;
  token: () => string;
}

/** The studio: what is captured, and whether it is published. */
export class Studio {
  readonly #parts: StudioParts;
  readonly #publisher: Publisher;
  readonly #uplink: Uplink;
  #layering: Layering = 'none';
  #capture: Capture | null = null;
  #capturing: Promise<boolean> = Promise.resolve(false);
  #stats: PublisherStats | null = null;

  constructor(parts: StudioParts) {
    this.#parts = parts;
    this.#uplink = new Uplink(this.#choice());
    this.#publisher = new Publisher({
      openSession: async (signal, onPath) => {
        this.#layering = await layeringOf(parts.settings.video);
        this.#uplink.choose(this.#choice());
        if (this.#capture === null) throw new Error('Nothing is being captured.');
        return openPublisherSession({
          endpoint: whipEndpoint(location.origin, parts.channel),
          token: parts.token(),
          media: this.#capture.media,
          codec: parts.settings.video.codec,
          encodings: this.#uplink.encodings,
          audioBitrate: AUDIO_BITRATE,
          signal,
          onPath,
        });
      },
      onState: ({ name }) => {
        if (name === 'live') this.#uplink.begin(this.#publisher.peer);
        else if (name === 'offline' || name === 'error') {
          this.#uplink.end();
          hideStats();
          parts.chat.sessionOver();
        }
        this.#show();
      },
      onSession: ({ channels }) => {
        parts.chat.sessionOpened(channels);
      },
      onStats: (stats) => {
        this.#stats = stats;
        showStats(stats);
        if (this.#publisher.state.name === 'live') {
          this.#uplink.observe(this.#publisher.peer, stats);
        }
      },
    });
    this.#show();
  }

  listen(): void {
    const { view, settings } = this.#parts;
    view.startPreview.addEventListener('click', () => {
      if (this.#capture === null) void this.#startCapture();
      else this.#endCapture();
    });
    view.goLive.addEventListener('click', () => void this.#goLive());
    view.stop.addEventListener('click', () => {
      this.#publisher.stop();
    });
    window.addEventListener('online', () => {
      if (this.#publisher.state.name === 'reconnecting') this.#publisher.goLive();
    });
    window.addEventListener('beforeunload', (event) => {
      if (this.#isPublishing()) event.preventDefault();
    });
    window.addEventListener('pagehide', () => {
      this.#publisher.stop();
    });
    const media = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
    media?.addEventListener('devicechange', () => void settings.listDevices());
    this.#warnOfOrigin();
    this.#expose();
  }

  /** Takes a changed setting over, at once where that is possible without asking the streamer again. */
  async settingsChanged(change: Change): Promise<void> {
    const { settings } = this.#parts;
    if (!settings.form.reportValidity()) return;
    const { peer } = this.#publisher;
    switch (change) {
      case 'none':
        return;
      case 'encoder':
        if (peer !== null) await this.#applyChoice(peer);
        return;
      case 'session':
        if (this.#isPublishing()) this.#publisher.renew();
        return;
      case 'capture':
        if (this.#capture !== null) await this.#recapture();
        else this.#warnOfOrigin();
    }
  }

  async #goLive(): Promise<void> {
    const { view, settings } = this.#parts;
    if (!settings.form.reportValidity()) return;
    view.goLive.disabled = true;
    const ready = this.#capture !== null || (await this.#startCapture());
    view.goLive.disabled = false;
    if (!ready) return;
    view.alert();
    this.#publisher.goLive();
  }

  /** Captures what is chosen; a request that is still being answered is waited for, not repeated. */
  #startCapture(): Promise<boolean> {
    const { view } = this.#parts;
    view.startPreview.disabled = true;
    this.#capturing = this.#capturing
      .then(() => this.#captureNow())
      .finally(() => {
        view.startPreview.disabled = false;
      });
    return this.#capturing;
  }

  async #captureNow(): Promise<boolean> {
    const { view, settings } = this.#parts;
    const { choice } = settings;
    try {
      const fresh = await capture(choice);
      this.#capture?.stop();
      this.#capture = fresh;
    } catch (error) {
      this.#alertCapture(error);
      return false;
    }
    for (const track of this.#capture.media.getTracks()) {
      track.addEventListener('ended', () => {
        this.#trackEnded(track);
      });
    }
    view.alert();
    view.showCapture(this.#capture);
    this.#show();
    await settings.listDevices();
    return true;
  }

  #alertCapture(error: unknown): void {
    const { view, settings } = this.#parts;
    const { title, advice } = captureProblem(error, settings.source, window.isSecureContext, {
      origin: location.origin,
      host: location.host,
      port: location.port,
      path: location.pathname,
    });
    view.alert(title, advice);
  }

  /** On an insecure origin no camera, screen or microphone can be had: better said before it is tried. */
  #warnOfOrigin(): void {
    if (window.isSecureContext) return;
    if (this.#parts.settings.source === 'test') this.#parts.view.alert();
    else this.#alertCapture(new DOMException('No media devices here.', 'SecurityError'));
  }

  /** Another source or device while capturing: what is being sent changes its tracks, not its session. */
  async #recapture(): Promise<void> {
    const kinds = trackKinds(this.#capture);
    if (!(await this.#startCapture()) || !this.#isPublishing()) return;
    if (trackKinds(this.#capture) !== kinds) {
      this.#publisher.renew();
      return;
    }
    for (const track of this.#capture?.media.getTracks() ?? []) {
      await this.#publisher.replaceTrack(track);
    }
    const { peer } = this.#publisher;
    if (peer !== null) await this.#applyChoice(peer);
  }

  async #applyChoice(peer: RTCPeerConnection): Promise<void> {
    this.#uplink.choose(this.#choice());
    await this.#uplink.apply(peer);
  }

  #choice(): Choice {
    const { video, source, automatic } = this.#parts.settings;
    const content = source === 'screen' ? 'detail' : 'motion';
    return { video, layering: this.#layering, content, automatic };
  }

  #endCapture(): void {
    this.#capture?.stop();
    this.#capture = null;
    this.#parts.view.showCapture(null);
    this.#show();
  }

  /** The streamer ended sharing in the browser's own bar, or a device was unplugged. */
  #trackEnded(track: MediaStreamTrack): void {
    const mine = this.#capture?.media.getTracks().includes(track) ?? false;
    if (!mine) return;
    if (track.kind === 'video') {
      const wasLive = this.#isPublishing();
      this.#publisher.stop();
      this.#endCapture();
      this.#parts.view.alert(
        'The picture ended',
        wasLive
          ? 'Sharing was stopped or the device was unplugged, so the broadcast ended too.'
          : 'Sharing was stopped or the device was unplugged.',
      );
    } else {
      this.#parts.view.alert('The sound ended', 'The microphone was unplugged or switched off.');
    }
  }

  #isPublishing(): boolean {
    const { name } = this.#publisher.state;
    return name !== 'offline' && name !== 'error';
  }

  #show(): void {
    const { name } = this.#publisher.state;
    this.#parts.recording.setLive(name === 'live' || name === 'reconnecting');
    this.#parts.view.showState(this.#publisher.state, this.#capture !== null);
  }

  #expose(): void {
    expose({
      state: () => this.#publisher.state,
      stats: () => this.#stats,
      uplink: () => this.#uplink.report,
      recording: () => this.#parts.recording.shown,
      chat: () => this.#parts.chat.view,
    });
  }
}

function trackKinds(captured: Capture | null): string {
  const kinds = captured?.media.getTracks().map(({ kind }) => kind) ?? [];
  return kinds.sort().join(' ');
}
