import { isChannelName } from '../shared/address.ts';
import { byId, make, setText } from '../shared/dom.ts';
import { formatDuration, formatViewers } from '../shared/format.ts';
import { fetchLive, type LiveChannel, type LiveList } from '../shared/live.ts';
import { toProblem } from '../shared/problem.ts';

const REFRESH_MS = 4_000;

const page = {
  root: document.documentElement,
  summary: byId('summary', HTMLElement),
  channels: byId('channels', HTMLUListElement),
  empty: byId('empty', HTMLElement),
  form: byId('studio-form', HTMLFormElement),
  channel: byId('channel', HTMLInputElement),
};

let shown = '';

async function refresh(): Promise<void> {
  try {
    show(await fetchLive());
  } catch (error) {
    page.root.dataset.state = 'error';
    const { title, detail } = toProblem(error);
    setText(page.summary, `The list is not available: ${detail || title}`);
  }
}

function show({ channels: live, complete }: LiveList): void {
  page.root.dataset.state = live.length === 0 ? 'empty' : 'listed';
  page.empty.hidden = live.length > 0;
  setText(page.summary, summary(live.length, complete));
  // Rebuilding the list would take the focus from its links, so only news do it.
  const news = JSON.stringify(live.map((each) => ({ ...each, minute: minutesOnAir(each) })));
  if (news === shown) return;
  shown = news;
  const focused = document.activeElement?.getAttribute('href');
  page.channels.replaceChildren(...live.map(card));
  for (const link of page.channels.querySelectorAll('a')) {
    if (link.getAttribute('href') === focused) link.focus();
  }
}

function summary(count: number, complete: boolean): string {
  if (!complete) return `The ${count} most watched`;
  if (count === 0) return '';
  return count === 1 ? '1 channel' : `${count} channels`;
}

function card(live: LiveChannel): HTMLLIElement {
  const link = make(
    'a',
    'channel',
    make(
      'span',
      'channel-top',
      make('span', 'badge on-air', 'Live'),
      make('span', '', formatViewers(live.viewers)),
    ),
    make('span', 'channel-title', live.title || live.name),
    make(
      'span',
      'channel-name',
      [live.title && live.name, onAir(live)].filter(Boolean).join(' · '),
    ),
  );
  link.href = `/watch/${encodeURIComponent(live.name)}`;
  if (live.tags.length > 0) {
    link.append(make('span', 'tags', ...live.tags.map((tag) => make('span', 'tag', tag))));
  }
  return make('li', '', link);
}

function minutesOnAir({ since }: LiveChannel): number | null {
  return since === null ? null : Math.max(0, Math.floor((Date.now() - since) / 60_000));
}

function onAir(live: LiveChannel): string {
  const minutes = minutesOnAir(live);
  if (minutes === null) return '';
  if (minutes < 1) return 'just started';
  return minutes < 60 ? `${minutes} min` : `${formatDuration(minutes * 60_000).slice(0, -3)} h`;
}

async function poll(): Promise<void> {
  if (!document.hidden) await refresh();
  setTimeout(() => void poll(), REFRESH_MS);
}

page.form.addEventListener('submit', (event) => {
  event.preventDefault();
  const name = page.channel.value.trim();
  if (isChannelName(name)) location.assign(`/studio/${name}`);
});

void poll();
