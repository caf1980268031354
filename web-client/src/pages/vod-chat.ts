import { Replay } from '../chat/replay.ts';
import type { VodAddress } from '../shared/address.ts';
import { byId } from '../shared/dom.ts';
import { chatNotice } from '../vod/chat-notice.ts';
import type { Recording } from '../vod/recording.ts';
import { streamTimeOf } from '../vod/stream-time.ts';
import { TranscriptReader } from '../vod/transcript-reader.ts';
import { fetchPart, Transcript } from '../vod/transcript.ts';
import { isChatHidden, letHide } from './chat/hide.ts';
import { ReplayPanel } from './chat/replay-panel.ts';
import type { VodPlayer } from './vod-player.ts';

/** What moves the picture, or may have. */
const MOVES = ['loadeddata', 'timeupdate', 'seeked'] as const;

/** The chat of a recording's page: what was said, in step with the picture. A broadcast in which nothing was said has none. */
export class VodChat {
  readonly #player: VodPlayer;
  readonly #transcript: Transcript;
  readonly #reader: TranscriptReader;
  #startedAt: number | null = null;
  /** Null before there is something to be shown. */
  #panel: ReplayPanel | null = null;
  #replay = new Replay([]);
  /** Of how many entries the replay is. */
  #replayed = 0;

  constructor({ broadcast, token }: VodAddress, player: VodPlayer) {
    this.#player = player;
    this.#transcript = new Transcript((after) => fetchPart(broadcast, token, after));
    this.#reader = new TranscriptReader(this.#transcript, {
      isWanted: () => !isChatHidden() || !this.#hasSaid,
      onChange: () => {
        this.#changed();
      },
      random: Math.random,
    });
    this.#listen();
  }

  /** For tests and the curious. */
  get view(): unknown {
    const lines = this.#replay.linesAt(this.#streamTime).map(({ entry }) => entry);
    const { state } = this.#reader;
    return {
      state,
      entries: this.#transcript.entries.length,
      pictureTime: this.#streamTime,
      lines,
    };
  }

  /** What is known of the recording by now; there may be more of the chat, too. */
  take({ startedAt }: Recording): void {
    this.#startedAt = startedAt;
    this.#reader.ask();
  }

  get #streamTime(): number {
    const { programTimeMs, video } = this.#player;
    return streamTimeOf(programTimeMs, this.#startedAt, video.currentTime);
  }

  /** Whether somebody said or gave something, so far as is known. */
  get #hasSaid(): boolean {
    return this.#transcript.entries.some(
      (entry) => entry.type === 'event' || (entry.type === 'message' && !entry.deleted),
    );
  }

  #listen(): void {
    const { video } = this.#player;
    for (const type of MOVES) {
      video.addEventListener(type, () => {
        this.#show(false);
      });
    }
    video.addEventListener('seeking', () => {
      this.#show(true);
    });
  }

  #changed(): void {
    const { entries } = this.#transcript;
    // Not before its end: what moderators took back later isn't to be seen until then.
    if (this.#reader.state === 'whole' && entries.length !== this.#replayed) {
      this.#replay = new Replay(entries);
      this.#replayed = entries.length;
    }
    if (this.#panel === null && this.#hasSaid) {
      this.#panel = new ReplayPanel(byId('chat', HTMLElement));
      letHide(() => {
        this.#reader.ask();
      });
    }
    this.#show(false);
  }

  #show(isJump: boolean): void {
    if (this.#panel === null) return;
    const lines = this.#replay.linesAt(this.#streamTime);
    this.#panel.show(lines, isJump);
    this.#panel.tell(chatNotice(this.#reader.state, this.#transcript.isFull, lines.length));
  }
}
