import { byId, setText } from '../shared/dom.ts';
import { Adaptation } from '../whip/adaptation.ts';
import { watchBattery } from '../whip/battery.ts';
import { ladder, type Content } from '../whip/ladder.ts';
import type { PublisherStats } from '../whip/publisher-stats.ts';
import { applySending, type SendingOptions } from '../whip/session.ts';
import { encodingsOf, fullStep, type Layering, type VideoSettings } from '../whip/settings.ts';
import {
  observationOf,
  reportUplink,
  type Health,
  type UplinkReport,
} from '../whip/uplink-report.ts';

const WORDS: Readonly<Record<Health, string>> = {
  measuring: 'Starting',
  good: 'Good',
  limited: 'Limited',
  bad: 'Bad',
};

/** What is being sent, by the streamer's choice. */
export interface Choice {
  video: VideoSettings;
  layering: Layering;
  content: Content;
  automatic: boolean;
}

/** Shows how the broadcast leaves the streamer's computer, and sends less while that is needed. */
export class Uplink {
  readonly #box = byId('uplink', HTMLElement);
  readonly #health = byId('uplink-health', HTMLElement);
  readonly #text = byId('uplink-text', HTMLElement);
  readonly #battery = watchBattery();
  #choice: Choice;
  #adaptation: Adaptation;
  #report: UplinkReport | null = null;

  constructor(choice: Choice) {
    this.#choice = choice;
    this.#adaptation = new Adaptation(stepsOf(choice));
  }

  /** What was last told; null while nothing is sent. */
  get report(): (UplinkReport & { level: number; reason: string | null }) | null {
    const { level, reason } = this.#adaptation;
    return this.#report && { ...this.#report, level, reason };
  }

  /** The encodings to send now. */
  get encodings(): RTCRtpEncodingParameters[] {
    const { video, layering } = this.#choice;
    return encodingsOf(video, layering, this.#adaptation.step);
  }

  /** Takes other settings over; what was learnt of the uplink begins anew only if they differ. */
  choose(choice: Choice): void {
    const same = JSON.stringify(choice) === JSON.stringify(this.#choice);
    this.#choice = choice;
    if (!same) this.#adaptation.choose(stepsOf(choice));
  }

  async apply(peer: RTCPeerConnection): Promise<void> {
    const { content, automatic } = this.#choice;
    const options: SendingOptions = { encodings: this.encodings, content, automatic };
    await applySending(peer, options);
  }

  /** The path is up, or another one. */
  begin(peer: RTCPeerConnection | null): void {
    this.#adaptation.begin(performance.now());
    if (peer !== null) void this.apply(peer);
  }

  /** Takes a second's statistics in. */
  observe(peer: RTCPeerConnection | null, stats: PublisherStats): void {
    const now = performance.now();
    const battery = this.#battery();
    const changed = this.#adaptation.observe(now, observationOf(stats, battery));
    if (changed && peer !== null) void this.apply(peer);
    const { reason } = this.#adaptation;
    const settled = this.#adaptation.settled(now);
    const { automatic, content, video } = this.#choice;
    const { fps } = video;
    this.#show(reportUplink({ stats, battery, fps, content, reason, settled, automatic }));
  }

  /** Nothing is sent any more. */
  end(): void {
    this.#report = null;
    this.#box.hidden = true;
  }

  #show(report: UplinkReport): void {
    this.#report = report;
    this.#box.hidden = false;
    this.#box.dataset.health = report.health;
    setText(this.#health, WORDS[report.health]);
    setText(this.#text, report.text);
  }
}

/** Without automatic adaptation nothing but the choice itself is ever sent. */
function stepsOf({ video, layering, content, automatic }: Choice): ReturnType<typeof ladder> {
  return automatic ? ladder(video, layering, content) : [fullStep(video, layering)];
}
