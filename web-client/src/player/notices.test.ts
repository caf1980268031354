import { describe, expect, it } from 'vitest';
import { noticeOf } from './notices.ts';

const problem = (status: number, detail = '') => ({
  status,
  title: `Title of ${status}`,
  detail,
  retryAfterMs: null,
});

describe('noticeOf', () => {
  it('prefers the server’s own words', () => {
    const notice = noticeOf({ name: 'error', problem: problem(422, 'Only AV1 here.') }, 'demo');
    expect(notice).toMatchObject({ text: 'Only AV1 here.', busy: false, action: 'Try again' });
  });

  it('keeps advice for operators from viewers', () => {
    for (const status of [401, 404]) {
      const advice = problem(status, 'run `spillway token` on the server');
      expect(noticeOf({ name: 'error', problem: advice }, 'demo').text).not.toContain('spillway');
    }
  });

  it('says something useful for every refusal', () => {
    for (const status of [400, 401, 403, 404, 409, 415, 422, 500]) {
      const notice = noticeOf({ name: 'error', problem: problem(status) }, 'demo');
      expect(notice.title).not.toBe('');
    }
  });

  it('announces long pauses and lets the viewer cut them short', () => {
    const state = { name: 'reconnecting', attempt: 4, inMs: 9_400, problem: null } as const;
    expect(noticeOf(state, 'demo')).toMatchObject({
      text: 'The connection was lost. Next attempt in about 9 s.',
      action: 'Try now',
    });
    expect(noticeOf({ ...state, inMs: 300 }, 'demo').action).toBe('');
  });

  it('doesn’t blame the streamer for a picture that has stopped', () => {
    const title = (hasStopped: boolean) => noticeOf({ name: 'waiting', hasStopped }, 'demo').title;
    expect(title(true)).not.toContain('streamer');
    expect(title(false)).toContain('streamer');
  });

  it('is silent while playing', () => {
    expect(noticeOf({ name: 'playing' }, 'demo')).toMatchObject({ title: '', busy: false });
  });
});
