/**
 * The time of day as black and white blocks along the bottom edge of the test picture, so that a program which watches
 * can tell when a frame was drawn.
 */
export const TIMECODE_BITS = 44;
/** Height of the blocks as a share of the picture's. */
export const TIMECODE_HEIGHT = 1 / 18;

/** Bits of a Unix time in milliseconds, most significant first, the last two their parity (ones, modulo 4). */
export function timecodeBits(unixMs: number): boolean[] {
  const value = BigInt(Math.floor(unixMs));
  const bits: boolean[] = [];
  for (let bit = TIMECODE_BITS - 3; bit >= 0; bit--)
    bits.push(((value >> BigInt(bit)) & 1n) === 1n);
  const ones = bits.filter(Boolean).length;
  return [...bits, (ones & 2) !== 0, (ones & 1) !== 0];
}

/** The Unix time in milliseconds that the blocks spell, or null if they are damaged. */
export function readTimecode(bits: readonly boolean[]): number | null {
  if (bits.length !== TIMECODE_BITS) return null;
  const value = bits.slice(0, -2).reduce((sum, bit) => sum * 2 + (bit ? 1 : 0), 0);
  const intact = timecodeBits(value).every((bit, index) => bit === bits[index]);
  return intact ? value : null;
}
