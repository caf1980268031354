import type { Notice } from '../player/notices.ts';
import type { Problem } from '../shared/problem.ts';
import type { Recording } from './recording.ts';

/** How a recording's page stands: what is known of it, or what keeps it from being known. */
export type VodState = Recording['state'] | 'loading' | 'gone' | 'restricted' | 'error';

export function stateOfProblem({ status }: Problem): VodState {
  if (status === 404 || status === 410) return 'gone';
  return status === 401 || status === 403 ? 'restricted' : 'error';
}

const NOTHING: Notice = { title: '', text: '', busy: false, action: '' };

/** What is said over the picture where there is none to be seen. */
export function noticeOfProblem(problem: Problem): Notice {
  switch (stateOfProblem(problem)) {
    case 'gone':
      return {
        ...NOTHING,
        title: 'There is no such recording',
        text: 'It was never made, or it has been deleted.',
      };
    case 'restricted':
      return problem.status === 401
        ? {
            ...NOTHING,
            title: 'This channel needs a token',
            text: 'Ask the streamer for a link that contains one.',
          }
        : {
            ...NOTHING,
            title: 'You may not watch this recording',
            text: 'Your token is wrong or has expired.',
          };
    default:
      return {
        ...NOTHING,
        title: problem.title,
        text: problem.detail,
        action: 'Try again',
      };
  }
}

/** The same for a recording that has nothing to play: not yet, or not any more. */
export function noticeOfRecording({ state, problem, playlist }: Recording): Notice {
  if (state === 'failed') {
    return {
      ...NOTHING,
      title: 'The recording failed',
      text: problem,
      action: playlist === null ? '' : 'Watch what there is',
    };
  }
  return state === 'ready'
    ? { ...NOTHING, title: 'This recording can’t be played', action: 'Try again' }
    : {
        title: 'Nothing to play yet',
        text: 'The recording has just begun. It plays here by itself.',
        busy: true,
        action: '',
      };
}

/** What a viewer should know while it plays; empty if nothing. */
export function describeRecording({ state, problem }: Recording): string {
  switch (state) {
    case 'recording':
      return 'The broadcast is still on: you watch it from its beginning.';
    case 'finishing':
      return 'The broadcast is over. Chapters and the download come in a moment.';
    case 'failed':
      return `The recording is not whole. ${problem}`.trim();
    case 'ready':
      return '';
  }
}
