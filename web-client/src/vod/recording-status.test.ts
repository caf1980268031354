import { describe, expect, it } from 'vitest';
import { describeStatus, RecordingTracker } from './recording-status.ts';
import { parseRecording, type Recording } from './recording.ts';

function recording(broadcast: string, state: string, problem = ''): Recording {
  const made = parseRecording(
    { broadcast, state, problem, duration_ms: 5_000 },
    'https://a.example',
  );
  if (made === null) throw new Error('no recording');
  return made;
}

describe('RecordingTracker', () => {
  it('takes no earlier broadcast for this one', () => {
    const tracker = new RecordingTracker();
    tracker.take([recording('old', 'ready'), recording('older', 'failed')]);
    expect(tracker.current).toBeNull();
    tracker.take([recording('new', 'recording'), recording('old', 'ready')]);
    expect(tracker.current?.broadcast).toBe('new');
  });

  it('follows this one to its end', () => {
    const tracker = new RecordingTracker();
    tracker.take([recording('mine', 'recording')]);
    tracker.take([recording('next', 'recording'), recording('mine', 'finishing')]);
    expect(tracker.current?.state).toBe('finishing');
    tracker.take([recording('mine', 'ready')]);
    expect(tracker.current?.state).toBe('ready');
  });

  it('begins anew with each broadcast', () => {
    const tracker = new RecordingTracker();
    tracker.take([recording('mine', 'recording')]);
    tracker.begin();
    tracker.take([recording('mine', 'ready')]);
    expect(tracker.current).toBeNull();
  });

  it('sees one that failed before it had begun', () => {
    const tracker = new RecordingTracker();
    tracker.take([]);
    tracker.take([recording('mine', 'failed')]);
    expect(tracker.current?.state).toBe('failed');
  });
});

describe('describeStatus', () => {
  it('lets moments be marked only while they are recorded, live', () => {
    expect(describeStatus(recording('b', 'recording'), true).canMark).toBe(true);
    expect(describeStatus(recording('b', 'recording'), false).canMark).toBe(false);
    expect(describeStatus(recording('b', 'finishing'), false).canMark).toBe(false);
  });

  it('says what goes wrong', () => {
    expect(describeStatus(recording('b', 'recording', 'The store is slow.'), true)).toMatchObject({
      word: 'Recording',
      text: 'The store is slow.',
      durationMs: 5_000,
    });
    expect(describeStatus(recording('b', 'failed', 'The disk is full.'), true)).toMatchObject({
      word: 'Not recorded',
      text: 'The disk is full.',
    });
  });

  it('leads to what is there to watch', () => {
    expect(describeStatus(recording('b', 'ready'), false).broadcast).toBe('b');
    expect(describeStatus(recording('b', 'recording'), true).broadcast).toBeNull();
  });
});
