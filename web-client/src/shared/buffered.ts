/** How far there is something to play from where it is. */
export function loadedUntil({ buffered, currentTime }: HTMLVideoElement): number {
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + 0.1 && buffered.end(i) >= currentTime) {
      return buffered.end(i);
    }
  }
  return currentTime;
}
