import { getText } from '../shared/http.ts';
import { toProblem } from '../shared/problem.ts';
import { readVodAddress, type VodAddress } from '../shared/address.ts';
import { parseChapters, type Chapter } from '../vod/chapters.ts';
import { noticeOfProblem, noticeOfRecording, stateOfProblem } from '../vod/notices.ts';
import { fetchRecording, withToken, type Recording } from '../vod/recording.ts';
import { parseStoryboard, type Tile } from '../vod/storyboard.ts';
import { expose } from './expose.ts';
import { VodChatLink } from './vod-chat-link.ts';
import { ChapterList } from './vod-chapters.ts';
import { retry, showFacts, showNotice, showVodState } from './vod-page.ts';
import { VodPlayer } from './vod-player.ts';

/** How often a recording that isn't whole yet is asked for. */
const RENEW_MS = 5_000;

/** A recording's page: what is known of it is asked for until it's whole, and it plays from the moment that there is something. */
class VodPage {
  readonly #address: VodAddress;
  readonly #chapterList: ChapterList;
  readonly #player: VodPlayer;
  readonly #chat: VodChatLink;
  #recording: Recording | null = null;
  #chapters: readonly Chapter[] = [];
  #tiles: readonly Tile[] = [];
  /** The addresses of what was read beside it. */
  #readChapters = '';
  #readStoryboard = '';
  #plays = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(address: VodAddress) {
    this.#address = address;
    this.#player = new VodPlayer({
      onPlays: () => {
        this.#plays = true;
        showNotice(null);
      },
      onFailed: () => {
        this.#plays = false;
        if (this.#recording !== null) showNotice(noticeOfRecording(this.#recording));
      },
      onChapter: (chapter) => {
        this.#chapterList.mark(chapter);
      },
    });
    this.#chat = new VodChatLink(address, this.#player);
    this.#chapterList = new ChapterList(({ at }) => {
      this.#player.seekTo(at);
      document.getElementById('player')?.scrollIntoView({ block: 'nearest' });
    });
    retry.addEventListener('click', () => {
      if (this.#recording === null) void this.#ask();
      else this.#start(this.#recording);
    });
    expose({
      recording: () => this.#recording,
      chapters: () => this.#chapters,
      media: () => this.#look(),
      chat: () => this.#chat.view,
    });
    void this.#ask();
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    const { broadcast, token } = this.#address;
    try {
      const recording = await fetchRecording(broadcast, token);
      this.#take(recording);
      await this.#readBeside(recording);
      this.#describe(recording);
    } catch (error) {
      this.#failed(error);
    }
    const state = this.#recording?.state;
    if (state === 'recording' || state === 'finishing') this.#askLater();
  }

  #askLater(): void {
    this.#timer = setTimeout(() => void this.#ask(), RENEW_MS);
  }

  #take(recording: Recording): void {
    const isFirst = this.#recording === null;
    this.#recording = recording;
    showVodState(recording.state);
    showFacts(recording, this.#address.token);
    if (recording.poster !== null) this.#player.setPoster(this.#own(recording.poster));
    this.#describe(recording);
    this.#chat.take(recording);
    if (recording.state === 'failed' && !this.#plays) showNotice(noticeOfRecording(recording));
    else if (isFirst || !this.#plays) this.#start(recording);
  }

  #start(recording: Recording): void {
    const { token, startAt } = this.#address;
    if (recording.playlist === null) showNotice(noticeOfRecording(recording));
    else void this.#player.start(recording.playlist, token, startAt);
  }

  /** Chapters and storyboard, once each. Without them it's still a recording. */
  async #readBeside({ chapters, storyboard }: Recording): Promise<void> {
    const { token } = this.#address;
    if (chapters !== null && chapters !== this.#readChapters) {
      const file = await getText(chapters, token).catch(() => null);
      if (file !== null) this.#chapters = parseChapters(file);
      this.#readChapters = file === null ? '' : chapters;
    }
    if (storyboard !== null && storyboard !== this.#readStoryboard) {
      const file = await getText(storyboard, token).catch(() => null);
      const tiles = file === null ? [] : parseStoryboard(file, storyboard);
      this.#tiles = tiles.map((tile) => ({ ...tile, url: this.#own(tile.url) }));
      this.#readStoryboard = file === null ? '' : storyboard;
    }
  }

  #describe({ durationMs }: Recording): void {
    this.#chapterList.show(this.#chapters);
    this.#player.describe(durationMs, this.#chapters, this.#tiles);
  }

  /** One that plays goes on whatever becomes of the question. */
  #failed(error: unknown): void {
    if (this.#recording !== null) return;
    const problem = toProblem(error);
    showVodState(stateOfProblem(problem));
    showNotice(noticeOfProblem(problem));
  }

  /** With the token, for what the browser itself gets. */
  #own(url: string): string {
    return withToken(url, this.#address.token);
  }

  #look(): object {
    const { currentTime, paused, playbackRate, muted, volume } = this.#player.video;
    const { duration, engineName } = this.#player;
    return { player: engineName, duration, currentTime, paused, playbackRate, muted, volume };
  }
}

const address = readVodAddress(new URL(location.href));
if (address === null) {
  showVodState('gone');
  showNotice(noticeOfProblem({ status: 404, title: '', detail: '', retryAfterMs: null }));
} else {
  new VodPage(address);
}
