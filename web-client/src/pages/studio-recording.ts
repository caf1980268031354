import { byId, setText } from '../shared/dom.ts';
import { formatDuration } from '../shared/format.ts';
import { toProblem } from '../shared/problem.ts';
import { nodeTime, postMarker } from '../vod/markers.ts';
import { fetchRecordings, vodPage } from '../vod/recording.ts';
import { describeStatus, RecordingTracker, type StatusView } from '../vod/recording-status.ts';

/** How often it's asked what is recorded, and how long after the end. */
const POLL_MS = 5_000;
const AFTER_END_MS = 600_000;
/** Recordings that are asked for: this broadcast's is among the latest. */
const LATEST = 3;
const CLOCK_MS = 500;
const NEWS_MS = 6_000;

/** Whether the broadcast is recorded, and marks in it. */
export class RecordingStatus {
  readonly #channel: string;
  readonly #token: () => string;
  readonly #box = byId('recording', HTMLElement);
  readonly #word = byId('recording-word', HTMLElement);
  readonly #text = byId('recording-text', HTMLElement);
  readonly #clock = byId('recording-clock', HTMLElement);
  readonly #link = byId('recording-link', HTMLAnchorElement);
  readonly #tracker = new RecordingTracker();
  readonly #marks: MarkerForm;
  #isLive = false;
  #endedAt = -Infinity;
  #shown: StatusView | null = null;
  #shownAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(channel: string, token: () => string) {
    this.#channel = channel;
    this.#token = token;
    this.#marks = new MarkerForm((title, at) => postMarker(channel, token(), title, at));
    setInterval(() => {
      this.#tick();
    }, CLOCK_MS);
  }

  /** For tests and the curious. */
  get shown(): StatusView | null {
    return this.#shown;
  }

  setLive(isLive: boolean): void {
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    if (isLive) this.#tracker.begin();
    else this.#endedAt = performance.now();
    void this.#ask();
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    // A node that records nothing: there's nothing to be said.
    const found = await fetchRecordings(this.#channel, this.#token(), LATEST).catch(() => null);
    if (found !== null) this.#tracker.take(found);
    const { current } = this.#tracker;
    this.#show(current === null ? null : describeStatus(current, this.#isLive));
    clearTimeout(this.#timer);
    if (this.#isAwaited()) this.#timer = setTimeout(() => void this.#ask(), POLL_MS);
  }

  #isAwaited(): boolean {
    const state = this.#tracker.current?.state;
    const isBeingMade = state === 'recording' || state === 'finishing';
    const isRecent = performance.now() - this.#endedAt < AFTER_END_MS;
    return this.#isLive || (isBeingMade && isRecent);
  }

  #show(view: StatusView | null): void {
    this.#shown = view;
    this.#shownAt = performance.now();
    this.#box.hidden = view === null;
    this.#marks.setPossible(view?.canMark === true);
    if (view === null) return;
    this.#box.dataset.recording = view.state;
    setText(this.#word, view.word);
    setText(this.#text, view.text);
    this.#link.hidden = view.broadcast === null;
    if (view.broadcast !== null) this.#link.href = vodPage(view.broadcast, '');
    this.#tick();
  }

  /** It grows between two answers as well. */
  #tick(): void {
    const known = this.#shown?.durationMs ?? null;
    const since = this.#isLive ? performance.now() - this.#shownAt : 0;
    setText(this.#clock, known === null ? '' : formatDuration(known + since));
  }
}

/** "Mark this moment": the moment is that of the first click, and its title may be written at leisure. */
class MarkerForm {
  readonly #form = byId('marker-form', HTMLFormElement);
  readonly #title = byId('marker-title', HTMLInputElement);
  readonly #button = byId('marker-button', HTMLButtonElement);
  readonly #cancel = byId('marker-cancel', HTMLButtonElement);
  readonly #news = byId('marker-news', HTMLElement);
  readonly #post: (title: string, at: Date | null) => Promise<void>;
  /** The moment, by the node's clock; null while none is marked. */
  #at: Promise<Date | null> | null = null;
  #newsTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(post: (title: string, at: Date | null) => Promise<void>) {
    this.#post = post;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#at === null) this.#begin();
      else void this.#save(this.#at);
    });
    this.#cancel.addEventListener('click', () => {
      this.#end();
    });
    this.#title.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#end();
    });
  }

  setPossible(isPossible: boolean): void {
    this.#form.hidden = !isPossible;
    if (!isPossible) this.#end();
  }

  #begin(): void {
    this.#at = nodeTime();
    this.#title.hidden = this.#cancel.hidden = false;
    setText(this.#button, 'Save');
    setText(this.#news, '');
    this.#title.focus();
  }

  async #save(at: Promise<Date | null>): Promise<void> {
    const title = this.#title.value.trim() || 'Marked moment';
    this.#button.disabled = true;
    try {
      await this.#post(title, await at);
      this.#end();
      this.#tell(`Marked: ${title}`);
    } catch (error) {
      const problem = toProblem(error);
      this.#tell(`It could not be marked: ${problem.detail || problem.title}`);
    } finally {
      this.#button.disabled = false;
    }
  }

  #end(): void {
    if (this.#at === null) return;
    const hadFocus = this.#form.contains(document.activeElement);
    this.#at = null;
    this.#title.value = '';
    this.#title.hidden = this.#cancel.hidden = true;
    setText(this.#button, 'Mark this moment');
    if (hadFocus) this.#button.focus();
  }

  #tell(news: string): void {
    setText(this.#news, news);
    clearTimeout(this.#newsTimer);
    this.#newsTimer = setTimeout(() => {
      setText(this.#news, '');
    }, NEWS_MS);
  }
}
