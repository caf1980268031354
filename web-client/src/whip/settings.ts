/** What the streamer chose, apart from devices. */
export interface VideoSettings {
  /** Lines of picture: 1080 stands for 1920x1080. */
  height: Height;
  fps: number;
  /** Of the largest layer, in bit/s. */
  bitrate: number;
  codec: CodecChoice;
  simulcast: boolean;
}

export const HEIGHTS = [1080, 720, 540, 360] as const;
export type Height = (typeof HEIGHTS)[number];

export const FRAME_RATES = [60, 30, 15] as const;

/** Empty leaves the choice to the browser's own order. */
export const CODECS = ['', 'H264', 'VP8', 'VP9', 'AV1', 'H265'] as const;
export type CodecChoice = (typeof CODECS)[number];

export const MIN_BITRATE = 100_000;
export const MAX_BITRATE = 20_000_000;

export function widthOf(height: Height): number {
  return Math.round((height * 16) / 9 / 2) * 2;
}

/** A bitrate that suits a picture size at 30 frames a second, in bit/s; 60 frames take half as much again. */
export function suggestedBitrate(height: Height, fps: number): number {
  const at30: Record<Height, number> = {
    1080: 4_500_000,
    720: 2_500_000,
    540: 1_500_000,
    360: 800_000,
  };
  return at30[height] * (fps > 30 ? 1.5 : 1);
}

interface Layer {
  rid: string;
  scale: number;
  /** Share of the largest layer's bitrate. */
  share: number;
}

/** Smallest first: encoders give up the last ones first when the uplink is too small for all. */
const LAYERS: readonly Layer[] = [
  { rid: 'q', scale: 4, share: 0.08 },
  { rid: 'h', scale: 2, share: 0.3 },
  { rid: 'f', scale: 1, share: 1 },
];

/** The place of a layer by size, smallest first. */
export function layerRank(rid: string): number {
  return LAYERS.findIndex((layer) => layer.rid === rid);
}

/** The encodings to send: one, or three simulcast layers of a quarter, a half and the full size. */
export function encodingsOf(settings: VideoSettings): RTCRtpEncodingParameters[] {
  const { bitrate, fps, simulcast } = settings;
  if (!simulcast) return [{ maxBitrate: bitrate, maxFramerate: fps }];
  return LAYERS.map(({ rid, scale, share }) => ({
    rid,
    scaleResolutionDownBy: scale,
    maxBitrate: Math.round(bitrate * share),
    maxFramerate: fps,
  }));
}

/** The browser's codecs with the chosen one first; the others follow, so that a session comes about in any case. */
export function preferCodec<Codec extends { mimeType: string }>(
  codecs: readonly Codec[],
  choice: CodecChoice,
): Codec[] {
  const mimeType = `video/${choice}`.toLowerCase();
  const chosen = codecs.filter((codec) => codec.mimeType.toLowerCase() === mimeType);
  const others = codecs.filter((codec) => codec.mimeType.toLowerCase() !== mimeType);
  return chosen.length === 0 ? [] : [...chosen, ...others];
}
