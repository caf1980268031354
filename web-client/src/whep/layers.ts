import { formatBitrate } from '../shared/format.ts';

/** A video layer that a `layers` event tells of. */
export interface VideoLayer {
  /** The name of the video in the event. */
  mediaId: string;
  rid: string | null;
  spatial: number | null;
  /** Bit/s; 0 while the layer isn't sent. */
  bitrate: number;
  width: number;
  height: number;
}

/** What a viewer can choose: one size of the picture. */
export interface Quality {
  /** Tells it from the others of the broadcast. */
  id: string;
  /** As players call it: 720p. */
  name: string;
  /** Lines of the picture, of its short side if it stands upright; 0 if unknown. */
  lines: number;
  /** Bit/s; 0 while it isn't sent. */
  bitrate: number;
  /** The body that chooses it. */
  choice: Readonly<Record<string, string | number>>;
}

/** Takes the first video's layers out of an event's data, and leaves out what it doesn't understand. */
export function parseLayers(data: unknown): VideoLayer[] {
  const [mediaId = '', layers] = Object.entries(asFields(data)).at(0) ?? [];
  if (!Array.isArray(layers)) return [];
  return layers.map((layer: unknown) => {
    const { rid, spatialLayerId, bitrate, width, height } = asFields(layer);
    return {
      mediaId,
      rid: typeof rid === 'string' ? rid : null,
      spatial: typeof spatialLayerId === 'number' ? spatialLayerId : null,
      bitrate: count(bitrate),
      width: count(width),
      height: count(height),
    };
  });
}

/**
 * The sizes among the layers, the largest first. Temporal layers are no choice of their own. One that isn't sent at present
 * may come back, and stays if its size is known: nothing vanishes from under a viewer's finger.
 */
export function qualitiesOf(layers: readonly VideoLayer[]): Quality[] {
  const best = new Map<string, VideoLayer>();
  for (const layer of layers) {
    const id = `${layer.rid ?? ''}/${layer.spatial ?? ''}`;
    const isKnown = layer.bitrate > 0 || linesOf(layer.width, layer.height) > 0;
    if (isKnown && layer.bitrate > (best.get(id)?.bitrate ?? -1)) best.set(id, layer);
  }
  return [...best]
    .map(([id, layer], place) => ({
      id,
      name: nameOf(layer, best.size - place),
      lines: linesOf(layer.width, layer.height),
      bitrate: layer.bitrate,
      choice: choiceOf(layer),
    }))
    .sort((a, b) => b.lines - a.lines || b.bitrate - a.bitrate);
}

/** How a quality's place among the others is told: its bitrate, or that a lesser one plays for it. */
export function detailOf({ bitrate }: Quality): string {
  return bitrate > 0 ? formatBitrate(bitrate) : 'unavailable now';
}

/** What players call a picture's size. */
export function linesOf(width: number, height: number): number {
  return Math.min(width, height);
}

function nameOf({ width, height }: VideoLayer, number: number): string {
  const lines = linesOf(width, height);
  return lines > 0 ? `${lines}p` : `Layer ${number}`;
}

function choiceOf({ mediaId, rid, spatial }: VideoLayer): Quality['choice'] {
  return {
    mediaId,
    ...(rid !== null && { rid }),
    ...(spatial !== null && { spatialLayerId: spatial }),
  };
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
