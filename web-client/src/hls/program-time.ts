/** A piece of a playlist: where it begins in the player's time, in seconds, and in Unix milliseconds of the programme's. */
export interface DatedPiece {
  start: number;
  programDateTime: number | null;
}

/**
 * When what is at that position was on air, in Unix milliseconds; null where the playlist has no dates. `pieces` are a playlist's, in
 * its order: each has a date of its own, since something may be missing between them.
 */
export function programTimeAt(pieces: readonly DatedPiece[], seconds: number): number | null {
  const piece = pieces.findLast(({ start }) => start <= seconds) ?? pieces[0];
  if (piece === undefined || piece.programDateTime === null) return null;
  return piece.programDateTime + (seconds - piece.start) * 1_000;
}
