import type { LiveBroadcast } from '../dashboard/overview.ts';
import { routeTo } from '../dashboard/route.ts';
import { stepsOf } from '../dashboard/series.ts';
import {
  describeSource,
  describeSpread,
  describeStalled,
  describeViewers,
  formatNumber,
  formatSpan,
  UNKNOWN,
} from '../dashboard/words.ts';
import { make, setText } from '../shared/dom.ts';
import { Chart } from './dashboard-chart.ts';
import { showFigures } from './figures.ts';

/** A channel on air, as a card of the first page. */
export class LiveCard {
  readonly element = make('li', 'card live-card');
  readonly #badge = make('span', 'badge on-air', 'Live');
  readonly #title: HTMLAnchorElement = make('a', 'live-title');
  readonly #facts = make('span', 'muted');
  readonly #figures = make('dl', 'figures');
  readonly #chart = new Chart('', true);
  readonly #caption = make('p', 'hint');

  constructor({ broadcast: { id, channel } }: LiveBroadcast) {
    const name = encodeURIComponent(channel);
    this.#title.href = routeTo(id);
    this.element.dataset.broadcast = id;
    this.element.append(
      make('div', 'live-head', this.#badge, this.#title, this.#facts),
      this.#figures,
      make('div', 'live-chart', this.#chart.element, this.#caption),
      make(
        'p',
        'links',
        link('Watch', `/watch/${name}`, channel),
        link('Studio', `/studio/${name}`, channel),
        link('Figures', routeTo(id), channel),
      ),
    );
  }

  show({ broadcast, channel, audience, source }: LiveBroadcast): void {
    const now = Date.now();
    const isInterrupted = channel?.isLive === false;
    setText(this.#badge, isInterrupted ? 'Interrupted' : 'Live');
    this.#badge.classList.toggle('on-air', !isInterrupted);
    const title = channel?.title ?? broadcast.title;
    setText(this.#title, title === '' ? broadcast.channel : title);
    const facts = [
      title === '' ? '' : broadcast.channel,
      channel?.restricted === true ? 'restricted' : '',
      `on air for ${formatSpan(now - broadcast.startedAt)}`,
      source ? describeSource(source) : '',
    ];
    setText(this.#facts, facts.filter(Boolean).join(' · '));
    const total = audience?.total;
    showFigures(this.#figures, [
      ['Viewers over WebRTC', channel ? formatNumber(channel.viewers) : UNKNOWN],
      ['Joins', total === undefined ? UNKNOWN : formatNumber(total.joins)],
      ['Latency, p50 · p95', total === undefined ? UNKNOWN : describeSpread(total.latencyMs)],
      ['Stalled', total === undefined ? UNKNOWN : describeStalled(total)],
    ]);
    const steps = audience ? stepsOf(audience, now) : [];
    const words = describeViewers(steps, audience?.step ?? 1, audience === null);
    setText(this.#caption, words);
    this.#chart.element.hidden = steps.length === 0;
    this.#chart.show({
      drawn: [{ kind: 'area', values: steps.map(({ viewers }) => viewers) }],
      format: formatNumber,
      least: 1,
      times: [],
      summary: words,
    });
  }
}

/** A link whose name says of which channel it is, for those who hear one after the other. */
function link(name: string, href: string, channel: string): HTMLAnchorElement {
  const element = make('a', '', name, make('span', 'visually-hidden', ` of ${channel}`));
  element.href = href;
  return element;
}
