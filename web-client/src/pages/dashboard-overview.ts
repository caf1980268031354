import type { NodeFacts, Sidecar } from '../dashboard/node.ts';
import type { Overview, PastBroadcast } from '../dashboard/overview.ts';
import { routeTo } from '../dashboard/route.ts';
import {
  countOf,
  describeSidecars,
  describeSpread,
  describeStalled,
  formatNumber,
  formatSpan,
  UNKNOWN,
} from '../dashboard/words.ts';
import { byId, make, setText } from '../shared/dom.ts';
import { formatDate } from '../shared/format.ts';
import { vodPage } from '../vod/recording.ts';
import { LiveCard } from './dashboard-live-card.ts';
import { cell, Rows } from './dashboard-rows.ts';
import { showFigures } from './figures.ts';

const SECOND_MS = 1_000;

/** The dashboard's first page: the node, what is on air, and what was. */
export class OverviewPage {
  readonly element = byId('overview', HTMLElement);
  readonly #nodeFacts = byId('node-facts', HTMLElement);
  readonly #nodeFigures = byId('node-figures', HTMLDListElement);
  readonly #nodeWarning = byId('node-warning', HTMLElement);
  readonly #summary = byId('live-summary', HTMLElement);
  readonly #live = byId('live', HTMLUListElement);
  readonly #past = byId('past', HTMLElement);
  readonly #pastRows = new Rows(byId('past-rows', HTMLTableSectionElement));
  readonly #cards = new Map<string, LiveCard>();

  show({ node, sidecars, live, past }: Overview): void {
    document.title = 'Dashboard · Spillway';
    this.#showNode(node, sidecars);
    this.#showLive(live);
    const unlisted = node.liveChannels - live.length;
    const more = unlisted > 0 ? ` and ${formatNumber(unlisted)} that are not listed` : '';
    setText(
      this.#summary,
      live.length === 0 ? 'Nobody is on air.' : `${countOf(live.length, 'channel')}${more}`,
    );
    this.#past.hidden = past.length === 0;
    this.#pastRows.show(past.map(pastRow));
  }

  #showNode(node: NodeFacts, sidecars: readonly Sidecar[]): void {
    const { version, since, workers, liveChannels, publishers, viewers, maxViewers } = node;
    const up = since === null ? '' : `up for ${formatSpan(Date.now() - since)}`;
    setText(this.#nodeFacts, [`Spillway ${version}`, up].filter(Boolean).join(' · '));
    showFigures(this.#nodeFigures, [
      ['Viewers over WebRTC', `${formatNumber(viewers)} of ${formatNumber(maxViewers)}`],
      ['Publishers', formatNumber(publishers)],
      ['On air', countOf(liveChannels, 'channel')],
      ['Media workers', formatNumber(workers)],
      ['Sidecars', describeSidecars(sidecars)],
    ]);
    this.#nodeWarning.hidden = !node.draining;
    const text = 'This node is draining: it’s about to stop, and takes no new viewers.';
    setText(this.#nodeWarning, node.draining ? text : '');
  }

  /** Cards keep their elements, so that nobody loses the focus or what is being read. */
  #showLive(live: Overview['live']): void {
    const cards = live.map((each) => {
      const { id } = each.broadcast;
      const card = this.#cards.get(id) ?? new LiveCard(each);
      this.#cards.set(id, card);
      card.show(each);
      return card;
    });
    const ids = new Set(live.map(({ broadcast }) => broadcast.id));
    for (const [id, { element }] of this.#cards) {
      if (ids.has(id)) continue;
      element.remove();
      this.#cards.delete(id);
    }
    cards.forEach(({ element }, index) => {
      const there = this.#live.children[index] ?? null;
      if (there !== element) this.#live.insertBefore(element, there);
    });
  }
}

function pastRow({ broadcast, audience, recording }: PastBroadcast): HTMLTableCellElement[] {
  const { id, channel, title, startedAt, endedAt, peakViewers } = broadcast;
  const figures = make('a', '', title === '' ? channel : title);
  figures.href = routeTo(id);
  const date = [title === '' ? '' : channel, formatDate(startedAt)].filter(Boolean).join(' · ');
  const name = cell('', make('div', '', figures), make('div', 'hint', date));
  const total = audience?.total;
  const known = (value: string | undefined): string => value ?? UNKNOWN;
  return [
    name,
    cell('Length', formatSpan((endedAt ?? Date.now()) - startedAt)),
    cell('Most viewers', formatNumber(Math.max(peakViewers, Math.round(total?.viewersMost ?? 0)))),
    cell('Joins', known(total && formatNumber(total.joins))),
    cell('Watched', known(total && formatSpan(total.watchedS * SECOND_MS))),
    cell('Latency', known(total && describeSpread(total.latencyMs))),
    cell('Stalled', known(total && describeStalled(total))),
    cell('Recording', recordingLink(id, recording)),
  ];
}

/** The page asks for a token by itself where one is needed: this one goes into no address. */
function recordingLink(id: string, recording: PastBroadcast['recording']): Node | string {
  if (recording === undefined) return UNKNOWN;
  if (recording === null || recording.state === 'failed') return 'none';
  const link = make('a', '', recording.state === 'ready' ? 'Play' : 'Being made');
  link.href = vodPage(id, '');
  return link;
}
