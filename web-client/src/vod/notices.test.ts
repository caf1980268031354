import { describe, expect, it } from 'vitest';
import {
  describeRecording,
  noticeOfProblem,
  noticeOfRecording,
  stateOfProblem,
} from './notices.ts';
import { parseRecording, type Recording } from './recording.ts';

const problem = (status: number) => ({
  status,
  title: 'Title',
  detail: 'Detail',
  retryAfterMs: null,
});

function recording(state: string, more: object = {}): Recording {
  const made = parseRecording({ broadcast: 'b', state, ...more }, 'https://node.example');
  if (made === null) throw new Error('no recording');
  return made;
}

describe('what a recording’s page says', () => {
  it('tells what is gone from what is closed', () => {
    expect([404, 410, 401, 403, 500, 0].map((status) => stateOfProblem(problem(status)))).toEqual([
      ...['gone', 'gone', 'restricted', 'restricted', 'error', 'error'],
    ]);
    expect(noticeOfProblem(problem(401)).text).toMatch(/link/);
    expect(noticeOfProblem(problem(404)).action).toBe('');
    expect(noticeOfProblem(problem(500))).toMatchObject({ title: 'Title', action: 'Try again' });
  });

  it('waits for one that has just begun', () => {
    expect(noticeOfRecording(recording('recording'))).toMatchObject({ busy: true, action: '' });
  });

  it('offers what there is of one that failed', () => {
    const failed = recording('failed', {
      problem: 'The disk is full.',
      playlist: '/vod/b/index.m3u8',
    });
    expect(noticeOfRecording(failed)).toMatchObject({
      text: 'The disk is full.',
      action: 'Watch what there is',
    });
    expect(noticeOfRecording(recording('failed')).action).toBe('');
    expect(describeRecording(failed)).toContain('not whole');
  });

  it('is silent about one that is whole', () => {
    expect(describeRecording(recording('ready'))).toBe('');
  });
});
