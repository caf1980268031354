/** What an overlay shows. */
export interface OverlayOptions {
  /** How many messages; 0: none. */
  messages: number;
  /** Until a message is gone; 0: never. */
  fadeMs: number;
  events: boolean;
  goal: boolean;
  reactions: boolean;
  align: 'left' | 'right';
  scale: number;
}

const MAX_MESSAGES = 20;
const MAX_FADE_S = 3_600;

/** Reads the query of `/overlay/{channel}`; what isn't sound is as if it weren't there. */
export function readOverlayOptions(query: URLSearchParams): OverlayOptions {
  const number = (name: string, usual: number, least: number, most: number): number => {
    const given = query.get(name) ?? '';
    const value = given.trim() === '' ? NaN : Number(given);
    return Number.isNaN(value) ? usual : Math.min(Math.max(value, least), most);
  };
  const isOn = (name: string): boolean => query.get(name) !== '0';
  return {
    messages: Math.round(number('messages', 8, 0, MAX_MESSAGES)),
    fadeMs: number('fade', 30, 0, MAX_FADE_S) * 1_000,
    events: isOn('events'),
    goal: isOn('goal'),
    reactions: isOn('reactions'),
    align: query.get('align') === 'right' ? 'right' : 'left',
    scale: number('scale', 1, 0.5, 3),
  };
}
