import { make } from '../../shared/dom.ts';

/** So many float at a time; what comes beyond that isn't seen. */
const MAX_FLOATING = 36;
/** So many of one count float, however many there were. */
const MAX_BURST = 8;
/** Within so long they start, in milliseconds: counts come some at a time. */
const SPREAD_MS = 400;

/**
 * Reactions that rise over the picture. Only their transform and opacity are animated, which the compositor does beside the picture,
 * and each element is gone when it's done.
 */
export class FloatingReactions {
  readonly #layer: HTMLElement;
  readonly #calm = matchMedia('(prefers-reduced-motion: reduce)');

  constructor(layer: HTMLElement) {
    this.#layer = layer;
    layer.setAttribute('aria-hidden', 'true');
    layer.addEventListener('animationend', ({ target }) => {
      if (target instanceof HTMLElement && target !== layer) target.remove();
    });
  }

  float(emoji: string, count: number): void {
    if (this.#calm.matches || document.hidden) return;
    const room = MAX_FLOATING - this.#layer.childElementCount;
    // Ten times as many look like some more.
    const burst = Math.min(count, 1 + Math.floor(Math.log2(count) * 1.5), MAX_BURST, room);
    for (let i = 0; i < burst; i += 1) this.#layer.append(one(emoji, i === 0 ? 0 : SPREAD_MS));
  }
}

function one(emoji: string, spreadMs: number): HTMLElement {
  const element = make('span', 'float', emoji);
  const set = (name: string, value: string): void => {
    element.style.setProperty(name, value);
  };
  set('--x', `${(Math.random() * 100).toFixed(1)}%`);
  set('--sway', `${((Math.random() - 0.5) * 60).toFixed(0)}px`);
  set('--turn', `${((Math.random() - 0.5) * 40).toFixed(0)}deg`);
  set('--delay', `${(Math.random() * spreadMs).toFixed(0)}ms`);
  set('--lasts', `${(2_400 + Math.random() * 900).toFixed(0)}ms`);
  return element;
}
