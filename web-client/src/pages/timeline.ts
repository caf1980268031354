import { byId, make, setText } from '../shared/dom.ts';
import { chapterAt, type Chapter } from '../vod/chapters.ts';
import { tileAt, type Tile } from '../vod/storyboard.ts';

/** How often the bar follows the picture. */
const TICK_MS = 250;
/** The preview's width, in CSS pixels. */
const PREVIEW_PX = 160;

/** What the bar moves through, in seconds. */
export interface Course {
  position: () => number;
  duration: () => number;
  loadedUntil: () => number;
  seekTo: (seconds: number) => void;
  /** A moment as it's written over a bar of that length, and as it's spoken. */
  moment: (seconds: number, duration: number) => string;
  spoken: (seconds: number, duration: number) => string;
  /** The bar shows this moment now, in this chapter. */
  onShown?: (position: number, duration: number, chapter: Chapter | null) => void;
}

/** A seek bar: where the picture is, what is loaded, where chapters begin, and what it looks like elsewhere. */
export class Timeline {
  readonly #bar = byId('timeline', HTMLElement);
  readonly #seek = byId('seek', HTMLInputElement);
  readonly #loaded = byId('loaded', HTMLElement);
  readonly #played = byId('played', HTMLElement);
  readonly #ticks = byId('ticks', HTMLElement);
  readonly #preview = new Preview();
  readonly #course: Course;
  #chapters: readonly Chapter[] = [];
  #tiles: readonly Tile[] = [];
  #isDragged = false;
  #ticked = '';

  constructor(course: Course) {
    this.#course = course;
    this.#listen();
    setInterval(() => {
      if (!document.hidden && !this.#bar.hidden) this.refresh();
    }, TICK_MS);
  }

  /** Shows what is known beside the media itself. */
  describe(chapters: readonly Chapter[], tiles: readonly Tile[]): void {
    this.#chapters = chapters;
    this.#tiles = tiles;
    this.refresh();
  }

  #listen(): void {
    const seek = this.#seek;
    seek.addEventListener('input', () => {
      this.#isDragged = true;
      this.refresh();
      this.#showPreview(seek.valueAsNumber);
    });
    seek.addEventListener('change', () => {
      this.#isDragged = false;
      this.#course.seekTo(seek.valueAsNumber);
      this.#preview.hide();
      this.refresh();
    });
    // The browser's own steps are a hundredth of the whole.
    seek.addEventListener('keydown', (event) => {
      const steps: Readonly<Record<string, number>> = { ArrowLeft: -5, ArrowRight: 5 };
      const step = steps[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.#course.seekTo(this.#course.position() + step);
    });
    this.#bar.addEventListener('pointermove', ({ clientX }) => {
      const { left, width } = this.#bar.getBoundingClientRect();
      const share = Math.min(Math.max((clientX - left) / width, 0), 1);
      this.#showPreview(share * this.#course.duration());
    });
    for (const type of ['pointerleave', 'pointercancel'] as const) {
      this.#bar.addEventListener(type, () => {
        this.#preview.hide();
      });
    }
  }

  #showPreview(seconds: number): void {
    const duration = this.#course.duration();
    if (duration === 0) return;
    const chapter = chapterAt(this.#chapters, seconds);
    const moment = this.#course.moment(seconds, duration);
    const text = [moment, chapter?.title].filter(Boolean).join(' · ');
    const width = this.#bar.clientWidth;
    this.#preview.show(tileAt(this.#tiles, seconds), text, seconds / duration, width);
  }

  refresh(): void {
    const course = this.#course;
    const duration = course.duration();
    const position = this.#isDragged ? this.#seek.valueAsNumber : course.position();
    this.#seek.max = String(duration);
    if (!this.#isDragged) this.#seek.value = String(position);
    this.#seek.setAttribute('aria-valuetext', course.spoken(position, duration));
    this.#played.style.width = percent(position, duration);
    this.#loaded.style.width = percent(course.loadedUntil(), duration);
    this.#drawTicks(duration);
    course.onShown?.(position, duration, chapterAt(this.#chapters, position));
  }

  /** Where chapters begin, but for the first, which begins with everything. */
  #drawTicks(duration: number): void {
    const places = this.#chapters
      .filter(({ at }) => at > 0 && at < duration)
      .map(({ at }) => percent(at, duration));
    if (places.join() === this.#ticked) return;
    this.#ticked = places.join();
    this.#ticks.replaceChildren(
      ...places.map((place) => {
        const tick = make('span', 'tick');
        tick.style.left = place;
        return tick;
      }),
    );
  }
}

/** The small picture over the bar. */
class Preview {
  readonly #box = byId('preview', HTMLElement);
  readonly #picture = byId('preview-picture', HTMLElement);
  readonly #text = byId('preview-text', HTMLElement);

  /** `share` is its place on a bar of `barPx`. */
  show(tile: Tile | null, text: string, share: number, barPx: number): void {
    this.#box.hidden = false;
    setText(this.#text, text);
    this.#picture.hidden = tile === null;
    if (tile !== null) this.#draw(tile);
    // It stays within the player.
    const half = this.#box.offsetWidth / 2;
    this.#box.style.left = `${Math.min(Math.max(share * barPx, half), Math.max(barPx - half, half))}px`;
  }

  hide(): void {
    this.#box.hidden = true;
  }

  #draw({ url, x, y, width, height }: Tile): void {
    const scale = PREVIEW_PX / width;
    const { style } = this.#picture;
    style.width = `${width}px`;
    style.height = `${height}px`;
    style.zoom = String(scale);
    style.backgroundImage = `url("${url}")`;
    style.backgroundPosition = `${-x}px ${-y}px`;
  }
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${((Math.min(part, whole) / whole) * 100).toFixed(3)}%` : '0%';
}
