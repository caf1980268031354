/** What the streamer chose, apart from devices. */
export interface VideoSettings {
  /** Lines of picture: 1080 stands for 1920x1080. */
  height: Height;
  fps: number;
  /** Of the largest layer, in bit/s. */
  bitrate: number;
  codec: CodecChoice;
  /** Several qualities: simulcast, or spatial layers of one encoding where the codec has them (SVC). */
  layered: boolean;
}

export const HEIGHTS = [1080, 720, 540, 360] as const;
export type Height = (typeof HEIGHTS)[number];

export const FRAME_RATES = [60, 30, 15] as const;

/** Empty leaves the choice to the browser's own order. */
export const CODECS = ['', 'H264', 'VP8', 'VP9', 'AV1', 'H265'] as const;
export type CodecChoice = (typeof CODECS)[number];

export const MIN_BITRATE = 100_000;
export const MAX_BITRATE = 20_000_000;

/** Suggestions are multiples of this. */
const BITRATE_STEP = 50_000;

/** Encoding three sizes takes about a third more work than one: machines with fewer threads have it for the picture. */
const LAYERED_THREADS = 4;

/** Whether several qualities are on before the streamer chooses. */
export function suggestsLayers(threads: number): boolean {
  return threads >= LAYERED_THREADS;
}

/** Layers in one encoding: three sizes, each of three frame rates, that refer to one another at keyframes only. */
export const SVC_MODE = 'L3T3_KEY';

/** Codecs whose encoders make spatial layers themselves: simulcast would be the same at more cost. */
export function prefersSvc(codec: CodecChoice): boolean {
  return codec === 'VP9' || codec === 'AV1';
}

export function widthOf(height: number): number {
  return Math.round((height * 16) / 9 / 2) * 2;
}

/** A bitrate that suits a picture size and frame rate, in bit/s. */
export function suggestedBitrate(height: Height, fps: number): number {
  const at30: Record<Height, number> = {
    1080: 4_500_000,
    720: 2_500_000,
    540: 1_500_000,
    360: 800_000,
  };
  const steps = Math.round((at30[height] * rateShare(fps)) / BITRATE_STEP);
  return steps * BITRATE_STEP;
}

/** What a frame rate takes of the bitrate at 30: fewer frames differ more from one another, so 60 take half as much again. */
export function rateShare(fps: number): number {
  return (fps / 30) ** 0.585;
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

/** What is sent at a time: as chosen, or less. */
export interface Step {
  /** Lines of the largest picture that is sent. */
  height: number;
  fps: number;
  /** Bit/s of all that is sent. */
  bitrate: number;
  /** How many simulcast layers are sent, the smallest first; 1 without simulcast. */
  layers: number;
}

/** How a session sends several qualities. */
export type Layering = 'none' | 'simulcast' | 'svc';

/** As the streamer chose. */
export function fullStep(settings: VideoSettings, layering: Layering): Step {
  const { height, fps, bitrate } = settings;
  if (layering !== 'simulcast') return { height, fps, bitrate, layers: 1 };
  const all = LAYERS.reduce((sum, { share }) => sum + share, 0);
  return { height, fps, bitrate: bitrate * all, layers: LAYERS.length };
}

/** The encodings for a step: one, or three simulcast layers of a quarter, a half and the full size. */
export function encodingsOf(
  settings: VideoSettings,
  layering: Layering,
  step: Step = fullStep(settings, layering),
): RTCRtpEncodingParameters[] {
  if (layering !== 'simulcast') {
    return [
      {
        maxBitrate: Math.round(step.bitrate),
        maxFramerate: step.fps,
        scaleResolutionDownBy: settings.height / step.height,
        ...(layering === 'svc' && { scalabilityMode: SVC_MODE }),
      },
    ];
  }
  const slower = rateShare(step.fps) / rateShare(settings.fps);
  return LAYERS.map(({ rid, scale, share }, place) => ({
    rid,
    active: place < step.layers,
    scaleResolutionDownBy: scale,
    maxBitrate: Math.round(settings.bitrate * share * slower),
    maxFramerate: step.fps,
  }));
}

/** Bit/s of the smallest `count` simulcast layers. */
export function simulcastBitrate(settings: VideoSettings, count: number): number {
  return LAYERS.slice(0, count).reduce((sum, { share }) => sum + share, 0) * settings.bitrate;
}

/** Lines of the largest of `count` simulcast layers. */
export function simulcastHeight(settings: VideoSettings, count: number): number {
  return settings.height / (LAYERS[count - 1]?.scale ?? 1);
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
