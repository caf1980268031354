/**
 * The stream time of a recorded picture, in milliseconds. Where it isn't known when it was on air (by the player), or when the
 * broadcast began (by the node), it's the recording's own time, as if it had begun with the broadcast.
 */
export function streamTimeOf(
  programTimeMs: number | null,
  startedAt: number | null,
  position: number,
): number {
  return programTimeMs === null || startedAt === null
    ? position * 1_000
    : programTimeMs - startedAt;
}
