import { byId, make } from '../shared/dom.ts';
import { formatBitrate, formatMs, formatShare } from '../shared/format.ts';
import type { LayerStats, PublisherStats } from '../whip/publisher-stats.ts';
import { topLayer } from '../whip/uplink-report.ts';
import { showFigures } from './figures.ts';

const LIMITATIONS: Readonly<Record<string, string>> = {
  none: 'Nothing',
  cpu: 'This computer',
  bandwidth: 'The uplink',
  other: 'Something else',
};

/** Fills the statistics card. */
export function showStats(stats: PublisherStats): void {
  byId('stats', HTMLElement).hidden = false;
  const { video, audio, path } = stats;
  const top = topLayer(video);
  const figures: [string, string][] = [
    ['Video', formatBitrate(video?.bitrate ?? 0)],
    ['Sound', formatBitrate(audio?.bitrate ?? 0)],
    ['Picture', top === undefined ? '–' : sizeOf(top)],
    ['Frame rate', `${(top?.fps ?? 0).toFixed(0)} fps`],
    ['Codec', [video?.codec, top?.encoder].filter(Boolean).join(', ') || '–'],
    ['Held back by', LIMITATIONS[video?.limitation ?? 'none'] ?? '–'],
    ['Round trip', formatMs(path?.rttMs ?? null)],
    ['Loss', formatShare(stats.loss)],
    ['Sent again', formatShare(video?.resent ?? 0)],
    ['Uplink estimate', uplink(path?.availableOutgoing ?? 0)],
    ['Transport', path?.protocol.toUpperCase() ?? '–'],
  ];
  showFigures(byId('stats-list', HTMLDListElement), figures);
  showLayers(video?.layers ?? []);
}

/** Nothing is sent any more, so there is nothing to say of it. */
export function hideStats(): void {
  byId('stats', HTMLElement).hidden = true;
}

function uplink(bitsPerSecond: number): string {
  return bitsPerSecond > 0 ? formatBitrate(bitsPerSecond) : '–';
}

function sizeOf({ width, height }: LayerStats): string {
  return height > 0 ? `${width}×${height}` : '–';
}

function showLayers(layers: readonly LayerStats[]): void {
  byId('layers', HTMLTableElement).hidden = layers.length < 2;
  byId('layer-rows', HTMLTableSectionElement).replaceChildren(
    ...[...layers].reverse().map((layer) => {
      const active = layer.bitrate > 0;
      const cells = [
        layer.rid,
        active ? sizeOf(layer) : 'off',
        active ? layer.fps.toFixed(0) : '–',
        active ? formatBitrate(layer.bitrate) : '–',
      ];
      return make('tr', '', ...cells.map((text) => make('td', '', text)));
    }),
  );
}
