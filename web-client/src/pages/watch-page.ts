import { noticeOf } from '../player/notices.ts';
import type { PlayerState } from '../player/state.ts';
import { byId, setText } from '../shared/dom.ts';

/** What all players have on the page. */
export const page = {
  root: document.documentElement,
  spinner: byId('notice-spinner', HTMLElement),
  noticeTitle: byId('notice-title', HTMLElement),
  noticeText: byId('notice-text', HTMLElement),
  retry: byId('retry', HTMLButtonElement),
  badge: byId('badge', HTMLElement),
  latency: byId('latency', HTMLElement),
  going: byId('going', HTMLElement),
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
  open: () => unknown;
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
