import { describe, expect, it } from 'vitest';
import { Endpoint, whepEndpoint } from './endpoint.ts';

const HOME = 'https://a.example/whep/demo?layer=h';
const alive = new AbortController().signal;
const fail = (): Promise<never> => Promise.reject(new Error('blocked'));
const next = (endpoint: Endpoint) => endpoint.open(alive, (url) => Promise.resolve(url));

describe('Endpoint', () => {
  it('goes where it is sent with what was asked for here', async () => {
    const endpoint = new Endpoint(HOME);
    expect(await next(endpoint)).toBe(HOME);
    endpoint.moveTo(null);
    expect(await next(endpoint)).toBe(HOME);
    endpoint.moveTo('https://b.example/whep/demo');
    expect(await next(endpoint)).toBe('https://b.example/whep/demo?layer=h');
    endpoint.moveTo('https://c.example/whep/demo?x');
    expect(await next(endpoint)).toBe('https://c.example/whep/demo?x');
  });

  it('comes home when there is no session to be had elsewhere', async () => {
    const endpoint = new Endpoint(HOME);
    endpoint.moveTo('https://b.example/whep/demo');
    await expect(endpoint.open(alive, fail)).rejects.toThrow('blocked');
    await expect(endpoint.open(alive, fail)).rejects.toThrow('blocked');
    expect(await next(endpoint)).toBe('https://b.example/whep/demo?layer=h');
  });

  it('stays at home once there is a session again', async () => {
    const endpoint = new Endpoint(HOME);
    endpoint.moveTo('https://b.example/whep/demo');
    await expect(endpoint.open(alive, fail)).rejects.toThrow('blocked');
    expect(await next(endpoint)).toBe(HOME);
    await expect(endpoint.open(alive, fail)).rejects.toThrow('blocked');
    expect(await next(endpoint)).toBe(HOME);
  });

  it('takes no attempt that was given up for a refusal', async () => {
    const endpoint = new Endpoint(HOME);
    endpoint.moveTo('https://b.example/whep/demo');
    await expect(endpoint.open(AbortSignal.abort(), fail)).rejects.toThrow('blocked');
    const late = endpoint.open(alive, fail);
    endpoint.moveTo('https://c.example/whep/demo');
    await expect(late).rejects.toThrow('blocked');
    expect(await next(endpoint)).toBe('https://c.example/whep/demo?layer=h');
  });
});

describe('whepEndpoint', () => {
  it('names channel and layer', () => {
    expect(whepEndpoint('https://a.example', 'demo', 'h')).toBe(HOME);
    expect(whepEndpoint('https://a.example', 'demo', '')).toBe('https://a.example/whep/demo');
  });
});
