import { describe, expect, it } from 'vitest';
import { captureProblem } from './capture-problem.ts';

const address = {
  origin: 'http://192.0.2.7:8080',
  host: '192.0.2.7:8080',
  port: '8080',
  path: '/studio/demo',
};

describe('captureProblem', () => {
  it('explains that cameras need a secure page, and how to get one', () => {
    const { title, advice } = captureProblem(new TypeError('x'), 'camera', false, address);
    expect(title).toContain('secure');
    expect(advice).toContain('http://localhost:8080/studio/demo');
    expect(advice).toContain('https://192.0.2.7:8080');
    expect(advice).toContain('--tls-cert');
  });

  it('does not blame the page for a test picture that fails', () => {
    const { title } = captureProblem(new Error('no canvas'), 'test', false, address);
    expect(title).not.toContain('secure');
  });

  it.each([
    ['NotAllowedError', /denied/],
    ['NotFoundError', /No camera or microphone/],
    ['NotReadableError', /could not be started/],
    ['OverconstrainedError', /gone/],
    ['UnheardOfError', /could not be started/],
  ])('has advice for %s', (name, expected) => {
    const problem = captureProblem(new DOMException('x', name), 'camera', true, address);
    expect(problem.title).toMatch(expected);
    expect(problem.advice).not.toBe('');
  });
});
