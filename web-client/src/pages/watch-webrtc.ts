import type { Kind, WayEvents } from '../player/handover.ts';
import type { PlayerState } from '../player/state.ts';
import { setText } from '../shared/dom.ts';
import { formatMs } from '../shared/format.ts';
import { postJson } from '../shared/http.ts';
import type { PathEvent, PeerSession } from '../shared/peer-session.ts';
import type { Endpoint } from '../whep/endpoint.ts';
import { Player } from '../whep/player.ts';
import { mediaOf, openViewerSession } from '../whep/session.ts';
import type { ViewerStats } from '../whep/viewer-stats.ts';
import { WebRtcSource } from './chat/webrtc-source.ts';
import { Companion } from './watch-companion.ts';
import { Frames, type Timings } from './watch-frames.ts';
import { pageLoaded } from './page-loaded.ts';
import { page } from './watch-page.ts';
import type { QualitySource } from './watch-quality.ts';
import { showStats } from './watch-stats.ts';
import type { PageWay, Surroundings } from './watch-way.ts';

/** Plays a channel over WHEP. */
export class WebRtcWay implements PageWay {
  readonly kind: Kind = 'webrtc';
  readonly video: HTMLVideoElement;
  readonly source: WebRtcSource;
  readonly #around: Surroundings;
  readonly #endpoint: Endpoint;
  readonly #player: Player;
  readonly #frames: Frames;
  readonly #quality: QualitySource;
  readonly #companion: Companion;
  #stats: ViewerStats | null = null;
  #isDone = false;

  constructor(
    video: HTMLVideoElement,
    around: Surroundings,
    endpoint: Endpoint,
    { onState, onSentAway }: WayEvents,
  ) {
    this.video = video;
    this.#around = around;
    this.#endpoint = endpoint;
    this.#quality = around.quality.source(postJson);
    this.source = new WebRtcSource(() => ({
      state: this.state,
      stats: this.#stats,
      isPaused: video.paused,
    }));
    this.#player = new Player({
      openSession: (signal, onPath, isBeside) => this.#openSession(signal, onPath, isBeside),
      onSession: (session) => {
        this.#companion.attach(session.extensions);
        this.source.sessionOpened(session.channels);
        around.chat.changed(this.source);
      },
      onMoved: ({ peer }) => void this.#play(mediaOf(peer)),
      isLive: () => around.facts.isLive(),
      isHidden: () => document.hidden,
      onState,
      onStats: (stats) => {
        this.#takeStats(stats);
      },
      onMoveFailed: onSentAway,
    });
    this.#frames = new Frames(video, (rtpTimestamp) => {
      this.source.frameShown(rtpTimestamp);
      this.#player.frameShown();
    });
    this.#companion = new Companion({
      facts: around.facts,
      quality: this.#quality,
      onActivity: (activity) => {
        this.#player.setActivity(activity);
      },
      onReconnect: (url) => {
        endpoint.moveTo(url);
        this.#player.move();
      },
    });
  }

  get state(): PlayerState {
    return this.#player.state;
  }

  get stats(): ViewerStats | null {
    return this.#stats;
  }

  get timings(): Timings {
    return this.#frames.timings;
  }

  open(): void {
    this.#player.open();
  }

  reopen(): void {
    this.#player.reopen();
  }

  /** For the page that is left and may be come back to, and for good. */
  close(): void {
    this.#player.close();
    if (this.#isShown) return;
    this.#isDone = true;
    this.#frames.stop();
    this.#companion.stop();
    this.video.srcObject = null;
  }

  shown(): void {
    this.#around.quality.show(this.#quality);
  }

  get #isShown(): boolean {
    return this.#around.stage.video === this.video;
  }

  #openSession(
    signal: AbortSignal,
    onPath: (event: PathEvent) => void,
    isBeside: boolean,
  ): Promise<PeerSession> {
    if (!isBeside) this.#frames.sessionOpens();
    const { token } = this.#around.address;
    // The element gets ready meanwhile, unless it still shows another session.
    const onMedia = (media: MediaStream): void => void (isBeside || this.#play(media));
    return this.#endpoint.open(signal, (endpoint) =>
      openViewerSession({ endpoint, token, signal, onPath, onMedia }),
    );
  }

  async #play(media: MediaStream): Promise<void> {
    await pageLoaded();
    if (this.#isDone) return;
    this.video.srcObject = media;
    await this.#around.stage.play(this.video);
  }

  #takeStats(fresh: ViewerStats): void {
    const age = this.#frames.takeCaptureAge();
    this.#stats = { ...fresh, endToEndMs: fresh.endToEndMs ?? age };
    if (!this.#isShown) return;
    setText(page.latency, this.state.name === 'playing' ? latencyText(this.#stats) : '');
    if (this.#around.panel.isShown) showStats(this.#stats);
  }
}

/** The latency that is known best: from the capture on, or else what the network and buffers add. */
function latencyText({ endToEndMs, latencyMs }: ViewerStats): string {
  const known = endToEndMs ?? latencyMs;
  return known === null ? '' : formatMs(known);
}
