import { byId, setText } from '../shared/dom.ts';
import { formatDuration } from '../shared/format.ts';
import { LevelMeter } from '../whip/level.ts';
import type { Capture } from '../whip/capture.ts';
import type { PublisherState } from '../whip/publisher.ts';
import { whipEndpoint } from '../whip/session.ts';
import { WakeLock } from './wake-lock.ts';

const LEVEL_MS = 100;
const COPIED_MS = 2_000;

/** Everything the studio shows, apart from the settings form. */
export class StudioView {
  readonly startPreview = byId('start-preview', HTMLButtonElement);
  readonly goLive = byId('go-live', HTMLButtonElement);
  readonly stop = byId('stop', HTMLButtonElement);
  readonly #preview = byId('preview', HTMLVideoElement);
  readonly #previewEmpty = byId('preview-empty', HTMLElement);
  readonly #badge = byId('badge', HTMLElement);
  readonly #badgeText = byId('badge-text', HTMLElement);
  readonly #clock = byId('clock', HTMLElement);
  readonly #level = byId('level', HTMLMeterElement);
  readonly #alert = byId('alert', HTMLElement);
  readonly #wakeLock = new WakeLock();
  #meter: LevelMeter | null = null;
  #liveSince: number | null = null;

  constructor(channel: string) {
    setText(byId('title', HTMLElement), channel);
    document.title = `${channel} · Studio · Spillway`;
    const watch = new URL(`/watch/${channel}`, location.origin).href;
    const link = byId('watch-link', HTMLAnchorElement);
    link.href = watch;
    link.target = '_blank';
    setText(link, watch);
    const whip = whipEndpoint(location.origin, channel);
    const server = byId('whip-url', HTMLElement);
    setText(server, whip);
    copies(byId('copy-watch', HTMLButtonElement), link);
    copies(byId('copy-whip', HTMLButtonElement), server);
    setInterval(() => {
      this.#tick();
    }, LEVEL_MS);
  }

  showCapture(capture: Capture | null): void {
    this.#meter?.stop();
    this.#meter = capture === null ? null : new LevelMeter(capture.media);
    this.#preview.srcObject = capture?.media ?? null;
    // People know their mirror image; what is sent is not mirrored.
    this.#preview.classList.toggle('mirrored', capture?.source === 'camera');
    this.#previewEmpty.hidden = capture !== null;
    if (capture !== null) void this.#preview.play().catch(() => undefined);
    setText(this.startPreview, capture === null ? 'Start preview' : 'Stop preview');
  }

  showState(state: PublisherState, capturing: boolean): void {
    const { name } = state;
    const offline = name === 'offline' || name === 'error';
    const root = document.documentElement;
    root.dataset.state = name === 'offline' ? (capturing ? 'ready' : 'idle') : name;
    if (name === 'live') this.#liveSince ??= Date.now();
    if (offline) this.#liveSince = null;
    this.#wakeLock.want(!offline);
    this.goLive.hidden = !offline;
    this.stop.hidden = offline;
    this.startPreview.hidden = !offline;
    this.#badge.classList.toggle('on-air', name === 'live');
    setText(this.#badge, BADGES[name]);
    setText(this.#badgeText, state.name === 'reconnecting' ? reconnectingText(state) : '');
    if (state.name === 'error') this.alert(...publishAdvice(state.problem));
  }

  /** Shows or, without arguments, takes away the message that needs the streamer's attention. */
  alert(title = '', text = ''): void {
    this.#alert.hidden = title === '';
    setText(byId('alert-title', HTMLElement), title);
    setText(byId('alert-text', HTMLElement), text);
  }

  #tick(): void {
    this.#level.value = this.#meter?.read() ?? 0;
    setText(
      this.#clock,
      this.#liveSince === null ? '' : formatDuration(Date.now() - this.#liveSince),
    );
  }
}

const BADGES: Readonly<Record<PublisherState['name'], string>> = {
  offline: 'Offline',
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
  error: 'Offline',
};

function reconnectingText(state: PublisherState & { name: 'reconnecting' }): string {
  const reason = state.problem?.detail ?? '';
  const seconds = Math.round(state.inMs / 1000);
  return [reason, seconds < 2 ? '' : `Next attempt in about ${seconds} s`]
    .filter(Boolean)
    .join(' ');
}

function publishAdvice({
  status,
  title,
  detail,
}: (PublisherState & { name: 'error' })['problem']): [string, string] {
  switch (status) {
    case 401:
      return ['A publish token is needed', detail || 'Enter it under Settings and go live again.'];
    case 403:
      return [
        'The publish token was refused',
        detail || 'It is wrong, expired, or belongs to another channel.',
      ];
    case 409:
      return ['Somebody else is live on this channel', detail];
    default:
      return [title, detail];
  }
}

function copies(button: HTMLButtonElement, source: HTMLElement): void {
  const label = button.textContent;
  button.addEventListener('click', () => {
    void copy(source).then((copied) => {
      setText(button, copied ? 'Copied' : 'Selected');
      setTimeout(() => {
        setText(button, label);
      }, COPIED_MS);
    });
  });
}

/** The clipboard exists on secure origins only; elsewhere the text is selected, ready to be copied. */
async function copy(source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
