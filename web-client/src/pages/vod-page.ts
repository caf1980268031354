import type { Notice } from '../player/notices.ts';
import { byId, setText } from '../shared/dom.ts';
import { formatBytes, formatDate, formatDuration } from '../shared/format.ts';
import { describeRecording, type VodState } from '../vod/notices.ts';
import { withToken, type Recording } from '../vod/recording.ts';

const page = {
  root: document.documentElement,
  spinner: byId('notice-spinner', HTMLElement),
  noticeTitle: byId('notice-title', HTMLElement),
  noticeText: byId('notice-text', HTMLElement),
  title: byId('title', HTMLElement),
  facts: byId('facts', HTMLElement),
  news: byId('news', HTMLElement),
  live: byId('live', HTMLAnchorElement),
  channel: byId('channel', HTMLAnchorElement),
  download: byId('download', HTMLAnchorElement),
};

/** What brings a page out of a state in which nothing plays. */
export const retry = byId('retry', HTMLButtonElement);

export function showVodState(state: VodState): void {
  page.root.dataset.recording = state;
}

/** What is said over the picture; null: it plays. */
export function showNotice(notice: Notice | null): void {
  page.root.dataset.state = notice === null ? 'playing' : notice.busy ? 'waiting' : 'error';
  setText(page.noticeTitle, notice?.title ?? '');
  setText(page.noticeText, notice?.text ?? '');
  page.spinner.hidden = notice?.busy !== true;
  const action = notice?.action ?? '';
  setText(retry, action);
  retry.hidden = action === '';
}

/** What is known of it, under the picture. */
export function showFacts(recording: Recording, token: string): void {
  const { channel, state, startedAt, durationMs, bytes, video } = recording;
  const title = recording.title === '' ? channel : recording.title;
  setText(page.title, title);
  document.title = `${title} · Spillway`;
  const facts = [
    title === channel ? '' : channel,
    startedAt === null ? '' : formatDate(startedAt),
    durationMs > 0 ? formatDuration(durationMs) : '',
  ];
  setText(page.facts, facts.filter(Boolean).join(' · '));
  setText(page.news, describeRecording(recording));
  const fragment = token === '' ? '' : `#${new URLSearchParams({ token }).toString()}`;
  const watch = `/watch/${encodeURIComponent(channel)}${fragment}`;
  page.live.href = page.channel.href = watch;
  page.live.hidden = state !== 'recording';
  page.channel.hidden = state === 'recording' || channel === '';
  page.download.hidden = video === null;
  if (video !== null) {
    page.download.href = withToken(video, token);
    page.download.download = `${fileName(title)}.mp4`;
    // The recording's size is that of all its renditions: of the file it's only the most that it can be.
    page.download.title = bytes > 0 ? `MP4, at most ${formatBytes(bytes)}` : 'MP4';
  }
}

/** What every system takes for a file's name. */
function fileName(title: string): string {
  return title.replaceAll(/[^\p{L}\p{N} ._-]+/gu, '_').slice(0, 80) || 'recording';
}
