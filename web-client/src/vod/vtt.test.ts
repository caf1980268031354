import { describe, expect, it } from 'vitest';
import { chapterAt, parseChapters } from './chapters.ts';
import { parseStoryboard, tileAt } from './storyboard.ts';
import { parseVtt } from './vtt.ts';

const CHAPTERS = `WEBVTT

1
00:00.000 --> 01:05.500
Start

NOTE what nobody reads

00:01:05.500 --> 100:00:00.000
Q&amp;A: <b>bold</b>
questions
`;

describe('parseVtt', () => {
  it('reads times with and without hours, and names before them', () => {
    expect(parseVtt(CHAPTERS)).toEqual([
      { start: 0, end: 65.5, text: 'Start' },
      { start: 65.5, end: 360_000, text: 'Q&amp;A: <b>bold</b>\nquestions' },
    ]);
  });

  it('reads any line ends, and leaves out what is no cue', () => {
    expect(parseVtt(CHAPTERS.replaceAll('\n', '\r\n'))).toHaveLength(2);
    for (const junk of [
      '',
      'WEBVTT',
      'WEBVTT\n\n00:05.000 --> 00:04.000\nbackwards',
      '\n\n\n-->',
    ]) {
      expect(parseVtt(junk)).toEqual([]);
    }
  });
});

describe('chapters', () => {
  const chapters = parseChapters(CHAPTERS);

  it('have plain titles', () => {
    expect(chapters.map(({ title }) => title)).toEqual(['Start', 'Q&A: bold questions']);
  });

  it('are found by their time', () => {
    expect(chapterAt(chapters, 65)?.title).toBe('Start');
    expect(chapterAt(chapters, 65.5)?.title).toBe('Q&A: bold questions');
    expect(chapterAt([], 3)).toBeNull();
  });
});

describe('a storyboard', () => {
  const file = `WEBVTT

00:00.000 --> 00:05.000
storyboard-0.jpg#xywh=0,0,160,90

00:05.000 --> 00:10.000
storyboard-0.jpg#xywh=160,0,160,90

00:10.000 --> 00:15.000
javascript:alert(1)#xywh=0,0,160,90

00:15.000 --> 00:20.000
storyboard-1.jpg
`;
  const tiles = parseStoryboard(file, 'https://node.example/vod/b/storyboard.vtt');

  it('tells which part of which picture belongs to a moment', () => {
    expect(tiles).toHaveLength(2);
    expect(tileAt(tiles, 7)).toEqual({
      start: 5,
      end: 10,
      url: 'https://node.example/vod/b/storyboard-0.jpg',
      x: 160,
      y: 0,
      width: 160,
      height: 90,
    });
    expect(tileAt(tiles, 99)?.start).toBe(5);
    expect(tileAt([], 0)).toBeNull();
  });
});
