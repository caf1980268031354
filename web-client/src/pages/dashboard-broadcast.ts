import { formatMoney } from '../chat/words.ts';
import type { Audience, Group } from '../dashboard/audience.ts';
import type { BroadcastView } from '../dashboard/broadcast.ts';
import { stepsOf, type Step } from '../dashboard/series.ts';
import {
  describeSource,
  describeSpread,
  describeStalled,
  formatClock,
  formatMaybe,
  formatNumber,
  formatSpan,
  nameOfCountry,
  nameOfDevice,
  nameOfHeight,
  nameOfPlayer,
  nameOfStep,
} from '../dashboard/words.ts';
import { byId, make, setText } from '../shared/dom.ts';
import { formatDate, formatMs, formatShare } from '../shared/format.ts';
import { vodPage } from '../vod/recording.ts';
import { BroadcastCharts } from './dashboard-charts.ts';
import { cell, Rows } from './dashboard-rows.ts';
import { showFigures } from './figures.ts';
import { GroupTable } from './dashboard-group-table.ts';

const SECOND_MS = 1_000;

/** All that is known of one broadcast and of those who watched it. */
export class BroadcastPage {
  readonly element = byId('broadcast', HTMLElement);
  readonly #title = byId('broadcast-title', HTMLElement);
  readonly #facts = byId('broadcast-facts', HTMLElement);
  readonly #links = byId('broadcast-links', HTMLElement);
  readonly #figures = byId('broadcast-figures', HTMLDListElement);
  readonly #news = byId('broadcast-news', HTMLElement);
  readonly #charts = new BroadcastCharts(byId('broadcast-charts', HTMLElement));
  readonly #tables = byId('broadcast-tables', HTMLElement);
  readonly #steps = byId('steps', HTMLElement);
  readonly #stepRows = new Rows(byId('step-rows', HTMLTableSectionElement));
  readonly #byPlayer = new GroupTable('Players');
  readonly #byDevice = new GroupTable('Devices');
  readonly #byCountry = new GroupTable('Countries');
  readonly #byHeight = new GroupTable('Picture heights', ['Watched', 'Share']);
  #linked = '';

  constructor() {
    const tables = [this.#byPlayer, this.#byDevice, this.#byCountry, this.#byHeight];
    this.#tables.append(...tables.map(({ element }) => element));
  }

  /** Null: there's no such broadcast. */
  show(view: BroadcastView | null): void {
    const audience = view?.audience ?? null;
    const steps = audience === null ? [] : stepsOf(audience, Date.now());
    this.#showHead(view);
    setText(this.#news, view === null ? '' : newsOf(audience, steps));
    this.#charts.show(steps, audience);
    this.#tables.hidden = audience === null;
    this.#steps.hidden = steps.length === 0;
    this.#stepRows.show(steps.map(stepRow));
    if (audience !== null) this.#showTables(audience);
  }

  #showHead(view: BroadcastView | null): void {
    this.#figures.hidden = view === null;
    if (view === null) {
      setText(this.#title, 'There is no such broadcast');
      setText(this.#facts, 'It may have been forgotten with its channel or its age.');
      this.#links.replaceChildren();
      return;
    }
    const { broadcast, channel, source, recording } = view;
    const title = broadcast.title === '' ? broadcast.channel : broadcast.title;
    setText(this.#title, title);
    document.title = `${title} · Dashboard · Spillway`;
    const { startedAt, endedAt } = broadcast;
    const length = formatSpan((endedAt ?? Date.now()) - startedAt);
    const facts = [
      title === broadcast.channel ? '' : broadcast.channel,
      channel?.restricted === true ? 'restricted' : '',
      formatDate(startedAt),
      endedAt === null ? `on air for ${length}` : `lasted ${length}`,
      source === null ? '' : describeSource(source),
    ];
    setText(this.#facts, facts.filter(Boolean).join(' · '));
    const isPlayable = recording !== null && recording.state !== 'failed';
    this.#showLinks(broadcast.channel, isPlayable ? broadcast.id : null, channel !== null);
    showFigures(this.#figures, figuresOf(view));
  }

  /** `recording`: the broadcast whose recording there is. */
  #showLinks(channel: string, recording: string | null, exists: boolean): void {
    const key = JSON.stringify([channel, recording, exists]);
    if (key === this.#linked) return;
    this.#linked = key;
    const name = encodeURIComponent(channel);
    this.#links.replaceChildren(
      ...(exists ? [link('Watch', `/watch/${name}`), link('Studio', `/studio/${name}`)] : []),
      ...(recording === null ? [] : [link('Recording', vodPage(recording, ''))]),
    );
  }

  #showTables({ players, devices, countries, heights }: Audience): void {
    this.#byPlayer.show(groupRows(players, nameOfPlayer));
    this.#byDevice.show(groupRows(devices, nameOfDevice));
    this.#byCountry.show(groupRows(countries, nameOfCountry));
    const all = heights.reduce((sum, { watchedS }) => sum + watchedS, 0);
    this.#byHeight.show(
      heights.map(({ height, watchedS }) => [
        nameOfHeight(height),
        formatSpan(watchedS * SECOND_MS),
        formatMaybe(all > 0 ? watchedS / all : null),
      ]),
    );
  }
}

function figuresOf({ broadcast, channel, audience }: BroadcastView): [string, string][] {
  const figures: [string, string][] = [];
  const isOnAir = broadcast.endedAt === null;
  if (isOnAir && channel) figures.push(['Viewers over WebRTC', formatNumber(channel.viewers)]);
  figures.push(['WebRTC at most', formatNumber(broadcast.peakViewers)]);
  if (audience) {
    const { total, raised } = audience;
    figures.push(
      ['All players at most', formatNumber(total.viewersMost)],
      ['Joins', formatNumber(total.joins)],
      ['Watched', formatSpan(total.watchedS * SECOND_MS)],
      ['Latency, p50 · p95', describeSpread(total.latencyMs)],
      ['To the picture, p50 · p95', describeSpread(total.startupMs)],
      ['Stalled', `${describeStalled(total)}, ${formatNumber(total.stalls)} times`],
    );
    const sums = raised.map(({ amount, currency }) => formatMoney(amount, currency));
    if (sums.length > 0) figures.push(['Donations', sums.join(' · ')]);
  }
  return figures;
}

function newsOf(audience: Audience | null, steps: readonly Step[]): string {
  if (audience === null) return 'No figures of its viewers are kept.';
  if (steps.length > 0) return '';
  return `Charts begin after the first ${nameOfStep(audience.step)} of the broadcast.`;
}

function stepRow(step: Step): HTMLTableCellElement[] {
  const { at, viewers, sessionsMost, joins, p50, p95, stalled } = step;
  return [
    cell('', formatClock(at)),
    cell('', formatNumber(viewers)),
    cell('', formatNumber(sessionsMost)),
    cell('', formatNumber(joins)),
    cell('', p50 === null ? '–' : `${formatMs(p50)} · ${formatMs(p95)}`),
    cell('', stalled === null ? '–' : formatShare(stalled)),
  ];
}

function groupRows(groups: readonly Group[], nameOf: (name: string) => string): string[][] {
  return [...groups]
    .sort((a, b) => b.watchedS - a.watchedS)
    .map((group) => [
      nameOf(group.name),
      formatNumber(group.joins),
      formatSpan(group.watchedS * SECOND_MS),
      describeSpread(group.latencyMs),
      describeStalled(group),
    ]);
}

function link(name: string, href: string): HTMLAnchorElement {
  const element = make('a', 'button small', name);
  element.href = href;
  return element;
}
