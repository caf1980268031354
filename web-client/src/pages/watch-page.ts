import { byId, setText } from '../shared/dom.ts';
import { noticeOf } from '../whep/notices.ts';
import type { PlayerState } from '../whep/player-state.ts';
import type { Controls } from './watch-controls.ts';

/** What both players have on the page. */
export const page = {
  root: document.documentElement,
  video: byId('video', HTMLVideoElement),
  spinner: byId('notice-spinner', HTMLElement),
  noticeTitle: byId('notice-title', HTMLElement),
  noticeText: byId('notice-text', HTMLElement),
  retry: byId('retry', HTMLButtonElement),
  badge: byId('badge', HTMLElement),
  latency: byId('latency', HTMLElement),
};

export function showState(state: PlayerState, channel: string): void {
  page.root.dataset.state = state.name;
  const notice = noticeOf(state, channel);
  setText(page.noticeTitle, notice.title);
  setText(page.noticeText, notice.text);
  page.spinner.hidden = !notice.busy;
  page.retry.hidden = notice.action === '';
  setText(page.retry, notice.action);
  page.badge.hidden = state.name !== 'playing';
  page.badge.classList.toggle('on-air', state.name === 'playing');
  if (state.name !== 'playing') setText(page.latency, '');
}

/** A player that its surroundings steer. */
interface Steered {
  readonly state: PlayerState;
  open: () => void;
  reopen: () => void;
  close: () => void;
}

/** Lets the page's surroundings steer the player: button, network, leaving. */
export function listen(player: Steered): void {
  page.retry.addEventListener('click', () => {
    if (player.state.name === 'ended') player.reopen();
    else player.open();
  });
  window.addEventListener('online', () => {
    player.open();
  });
  window.addEventListener('pagehide', () => {
    player.close();
  });
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) player.open();
  });
}

/** Begins to play what was given to the video element. */
export async function startPlayback(controls: Controls, give: () => void): Promise<void> {
  await pageLoaded();
  give();
  await controls.startPlayback();
}

/** A video that waits for its first frame holds up the page's load event if it began before it. */
export function pageLoaded(): Promise<void> {
  return new Promise((resolve) => {
    if (document.readyState === 'complete') resolve();
    else
      window.addEventListener('load', () => {
        resolve();
      });
  });
}

/** A read-only view for tests and for the curious: see README.md. */
export function expose(read: Readonly<Record<string, () => unknown>>): void {
  const view = {};
  for (const [name, get] of Object.entries(read)) {
    Object.defineProperty(view, name, { enumerable: true, get: () => structuredClone(get()) });
  }
  Object.defineProperty(window, 'spillway', { value: Object.freeze(view) });
}
