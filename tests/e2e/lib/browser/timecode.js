/**
 * The timecode of the studio's and the demo's test pictures (`web-client/src/whip/timecode.ts`): 44 blocks along the
 * bottom edge, an eighteenth of the picture high; 42 bits of time in milliseconds, then its ones modulo 4.
 */
const BITS = 44;
const HEIGHT = 1 / 18;

/** @param {number} value milliseconds */
export function timecodeBits(value) {
  const bits = Array.from(
    { length: BITS - 2 },
    (_, i) => Math.floor(value / 2 ** (BITS - 3 - i)) % 2 === 1,
  );
  const ones = bits.filter(Boolean).length;
  return [...bits, (ones & 2) !== 0, (ones & 1) !== 0];
}

/** Draws the blocks on a canvas. */
export function drawTimecode(context, value) {
  const { width, height } = context.canvas;
  const top = Math.floor(height * (1 - HEIGHT));
  timecodeBits(value).forEach((bit, i) => {
    const left = Math.floor((i * width) / BITS);
    context.fillStyle = bit ? '#fff' : '#000';
    context.fillRect(left, top, Math.ceil(width / BITS), height - top);
  });
}

/** Draws the blocks into a luma plane. */
export function drawTimecodeLuma(luma, width, height, value) {
  const bits = timecodeBits(value);
  for (let y = height - Math.floor(height * HEIGHT); y < height; y++) {
    for (let x = 0; x < width; x++)
      luma[y * width + x] = bits[Math.floor((x * BITS) / width)] ? 235 : 16;
  }
}

/** Reads the timecode of a video's current picture. */
export class TimecodeReader {
  #canvas = new OffscreenCanvas(BITS * 8, 8);
  #context = this.#canvas.getContext('2d', { willReadFrequently: true });

  /** Milliseconds, or null if there's no intact timecode. */
  read(video) {
    const { videoWidth: width, videoHeight: height } = video;
    if (width === 0) return null;
    // The middle half of the blocks' height, scaled to 8 by 8 pixels a block.
    const top = height * (1 - HEIGHT * 0.75);
    this.#context.drawImage(video, 0, top, width, (height * HEIGHT) / 2, 0, 0, BITS * 8, 8);
    const { data } = this.#context.getImageData(0, 3, BITS * 8, 2);
    return valueOf(Array.from({ length: BITS }, (_, i) => brightness(data, i * 8 + 2) > 126));
  }
}

/** Reads the timecode from a luma plane that the blocks were scaled to. */
export const TimecodeLuma = {
  width: BITS * 8,
  height: 8,
  /** Milliseconds, or null if there's no intact timecode. */
  read(luma) {
    const row = 4 * BITS * 8;
    const isWhite = (_, i) => (luma[row + i * 8 + 3] + luma[row + i * 8 + 4]) / 2 > 126;
    return valueOf(Array.from({ length: BITS }, isWhite));
  },
};

function valueOf(bits) {
  const value = bits.slice(0, -2).reduce((sum, bit) => sum * 2 + (bit ? 1 : 0), 0);
  const intact = timecodeBits(value).every((bit, i) => bit === bits[i]);
  return intact && value > 0 ? value : null;
}

/** Mean of four pixels of red, green and blue from this column on, in the first row. */
function brightness(data, column) {
  let sum = 0;
  for (let x = column; x < column + 4; x++) sum += data[x * 4] + data[x * 4 + 1] + data[x * 4 + 2];
  return sum / 12;
}
