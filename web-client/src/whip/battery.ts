import type { Battery } from './adaptation.ts';

/** Where a browser tells of it (Chromium does, others no longer do). */
interface BatteryManager {
  readonly charging: boolean;
  readonly level: number;
}

/** Returns a function that reads the battery; it gives null where there is none, or none is told of. */
export function watchBattery(): () => Battery | null {
  let manager: BatteryManager | null = null;
  const { getBattery } = navigator as { getBattery?: () => Promise<BatteryManager> };
  void getBattery
    ?.call(navigator)
    .then((found) => {
      manager = found;
    })
    .catch(() => undefined);
  return () => manager && { charging: manager.charging, level: manager.level };
}
