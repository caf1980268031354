import type { Problem } from '../shared/problem.ts';
import type { PlayerState } from './state.ts';

/** What the player says over the picture in each state. */
export interface Notice {
  title: string;
  text: string;
  /** Whether something is going on that the viewer waits for. */
  busy: boolean;
  /** What the button offers, or empty for no button. */
  action: string;
}

export function noticeOf(state: PlayerState, channel: string): Notice {
  switch (state.name) {
    case 'connecting':
      return { title: 'Connecting…', text: '', busy: true, action: '' };
    case 'waiting':
      return {
        title: state.hasStopped ? 'The picture has stopped' : 'Waiting for the streamer',
        text: state.hasStopped
          ? 'It goes on here by itself.'
          : 'The picture appears here by itself.',
        busy: true,
        action: '',
      };
    case 'interrupted':
      return {
        title: 'The stream is interrupted',
        text: 'It goes on here by itself when the streamer is back.',
        busy: true,
        action: '',
      };
    case 'playing':
      return { title: '', text: '', busy: false, action: '' };
    case 'reconnecting':
      return {
        title: 'Reconnecting…',
        text: reconnectingText(state.problem, state.inMs),
        busy: true,
        action: state.inMs > 2_000 ? 'Try now' : '',
      };
    case 'ended':
      return {
        title: 'The broadcast has ended',
        text: `When ${channel} is live again, it plays here.`,
        busy: false,
        action: 'Check again',
      };
    case 'error':
      return errorNotice(state.problem, channel);
  }
}

function reconnectingText(problem: Problem | null, inMs: number): string {
  const reason = problem === null ? 'The connection was lost.' : sentence(problem);
  const seconds = Math.round(inMs / 1000);
  return seconds < 2 ? reason : `${reason} Next attempt in about ${seconds} s.`;
}

/** Refusals about which the server's words are for those who run it. */
const FOR_OPERATORS: readonly number[] = [401, 404];

function errorNotice(problem: Problem, channel: string): Notice {
  const own: Readonly<Record<number, { title: string; text: string }>> = {
    401: {
      title: 'This channel needs a token',
      text: 'Ask the streamer for a link that contains one.',
    },
    403: { title: 'You may not watch this channel', text: 'Your token is wrong or has expired.' },
    404: {
      title: 'There is no such channel',
      text: `Nobody has ever published to “${channel}”. Check the address.`,
    },
    409: { title: 'The channel is not live', text: '' },
    422: {
      title: 'This browser can’t play the broadcast',
      text: 'It shares no codec with it. Another browser may.',
    },
  };
  const known = own[problem.status];
  const detail = FOR_OPERATORS.includes(problem.status) ? '' : problem.detail;
  return {
    title: known?.title ?? problem.title,
    text: detail || (known?.text ?? ''),
    busy: false,
    action: 'Try again',
  };
}

/** The server's detail if it gave one, else its title, as a sentence. */
function sentence({ title, detail }: Problem): string {
  const text = detail || title;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
