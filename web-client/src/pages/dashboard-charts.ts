import type { Audience } from '../dashboard/audience.ts';
import type { Step } from '../dashboard/series.ts';
import {
  describeViewers,
  formatClock,
  formatMaybe,
  formatNumber,
  timesOf,
} from '../dashboard/words.ts';
import { formatMs, formatShare } from '../shared/format.ts';
import { Chart } from './dashboard-chart.ts';

/** A broadcast's charts, one under the other over the same time. */
export class BroadcastCharts {
  readonly #root: HTMLElement;
  readonly #viewers = new Chart('Viewers');
  readonly #joins = new Chart('Joins');
  readonly #latency = new Chart('Latency');
  readonly #stalled = new Chart('Time stalled');

  constructor(root: HTMLElement) {
    this.#root = root;
    const charts = [this.#viewers, this.#joins, this.#latency, this.#stalled];
    root.append(...charts.map(({ element }) => element));
  }

  show(steps: readonly Step[], audience: Audience | null): void {
    this.#root.hidden = steps.length === 0 || audience === null;
    if (audience === null) return;
    const times = timesOf(steps, audience.step);
    const reading =
      (words: (step: Step) => string) =>
      (index: number): string => {
        const step = steps[index];
        return step === undefined ? '' : `${formatClock(step.at)}: ${words(step)}`;
      };
    const of = (pick: (step: Step) => number | null): (number | null)[] => steps.map(pick);
    this.#viewers.show({
      drawn: [
        { kind: 'area', values: of(({ viewers }) => viewers), name: 'All players, as they tell' },
        { kind: 'line', values: of(({ sessionsMost }) => sessionsMost), name: 'WebRTC at most' },
      ],
      format: formatNumber,
      least: 2,
      times,
      summary: describeViewers(steps, audience.step, false),
      read: reading(({ viewers, sessionsMost }) => `${formatNumber(viewers)} · ${sessionsMost}`),
    });
    this.#joins.show({
      drawn: [{ kind: 'bars', values: of(({ joins }) => joins) }],
      format: formatNumber,
      least: 2,
      times,
      summary: `Joins: ${formatNumber(audience.total.joins)} in all.`,
      read: reading(({ joins }) => formatNumber(joins)),
    });
    this.#latency.show({
      drawn: [
        { kind: 'line', values: of(({ p50 }) => p50), name: 'Median' },
        { kind: 'line', values: of(({ p95 }) => p95), name: '95 of 100 are below' },
      ],
      format: formatMs,
      least: 100,
      times,
      summary: 'Viewers’ latency. The table below has the figures.',
      read: reading(({ p50, p95 }) => `${formatMs(p50)} · ${formatMs(p95)}`),
    });
    this.#stalled.show({
      drawn: [{ kind: 'bars', values: of(({ stalled }) => stalled) }],
      format: formatShare,
      least: 0.01,
      times,
      summary: 'Share of the time in which pictures stood. The table below has the figures.',
      read: reading(({ stalled }) => formatMaybe(stalled)),
    });
  }
}
