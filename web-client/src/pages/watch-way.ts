import type { Way } from '../player/handover.ts';
import type { PageAddress } from '../shared/address.ts';
import type { CaptionsMenu } from './captions-menu.ts';
import type { ChatSource } from './chat/source.ts';
import type { ChatLink } from './watch-chat-link.ts';
import type { Facts } from './watch-facts.ts';
import type { Timings } from './watch-frames.ts';
import type { QualityMenu } from './watch-quality.ts';
import type { Rewind } from './watch-rewind.ts';
import type { StatsPanel } from './watch-stats-panel.ts';
import type { Stage } from './stage.ts';

/** What a player finds on the page. */
export interface Surroundings {
  address: PageAddress;
  stage: Stage;
  facts: Facts;
  quality: QualityMenu;
  captions: CaptionsMenu;
  panel: StatsPanel;
  rewind: Rewind;
  chat: ChatLink;
}

/** A player of this page, in one of the stage's elements. */
export interface PageWay extends Way {
  readonly video: HTMLVideoElement;
  /** For tests and the curious. */
  readonly stats: unknown;
  readonly timings: Timings;
  /** For the chat. */
  readonly source: ChatSource;
  /** It is what is seen and heard from now on. */
  shown: () => void;
}
