/** Figures as people read them. */
export function formatBitrate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 999_500) return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
  return `${(bitsPerSecond / 1000).toFixed(0)} kbit/s`;
}

export function formatMs(milliseconds: number | null): string {
  if (milliseconds === null) return '–';
  if (milliseconds >= 9_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds.toFixed(0)} ms`;
}

/** How late what is shown is, in tenths of a second. */
export function formatBehind(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s behind live`;
}

/** A share of 0 to 1. Small losses matter, so one decimal stays. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) =>
    String(part).padStart(2, '0'),
  );
  const hours = Math.floor(seconds / 3600);
  return (hours > 0 ? [String(hours), ...parts] : parts).join(':');
}

export function formatViewers(viewers: number): string {
  return viewers === 1 ? '1 viewer' : `${viewers.toLocaleString('en')} viewers`;
}

const DATE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** A moment in the viewer's time zone: 22 Nov 2026, 14:05. */
export function formatDate(unixMs: number): string {
  return DATE.format(unixMs);
}

/** Decimal, as downloads are told: 1.4 GB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power > 0 && value < 10 ? 1 : 0)} ${units[power] ?? 'B'}`;
}
