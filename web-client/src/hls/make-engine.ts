import type { Engine, EngineEvents, Source } from './engine.ts';
import { canPlayNatively, Native } from './native.ts';

/** hls.js where it can play, since it takes parts as they come; else the browser itself. */
export async function makeEngine(source: Source, events: EngineEvents): Promise<Engine> {
  if ('MediaSource' in window || 'ManagedMediaSource' in window) {
    const { canPlay, HlsJs } = await import('./hls-js.ts');
    if (canPlay()) return new HlsJs(source, events);
  }
  if (canPlayNatively(source.video)) return new Native(source, events);
  throw new Error('It plays no HLS. Another browser does.');
}
