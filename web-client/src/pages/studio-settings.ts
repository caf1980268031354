import { byId, make } from '../shared/dom.ts';
import type { CaptureChoice, Source } from '../whip/capture.ts';
import {
  CODECS,
  FRAME_RATES,
  HEIGHTS,
  MAX_BITRATE,
  MIN_BITRATE,
  suggestedBitrate,
  suggestsLayers,
  type VideoSettings,
} from '../whip/settings.ts';

const NO_MICROPHONE = 'none';

/** What a changed setting asks for: another capture, another session, or only new encoder limits. */
export type Change = 'capture' | 'session' | 'encoder' | 'none';

/** The settings form. It only reads and fills fields; the studio decides what follows. */
export class Settings {
  readonly form = byId('settings', HTMLFormElement);
  readonly #camera = byId('camera', HTMLSelectElement);
  readonly #microphone = byId('microphone', HTMLSelectElement);
  readonly #voice = byId('voice', HTMLInputElement);
  readonly #height = byId('height', HTMLSelectElement);
  readonly #fps = byId('fps', HTMLSelectElement);
  readonly #bitrate = byId('bitrate', HTMLInputElement);
  readonly #codec = byId('codec', HTMLSelectElement);
  readonly #layered = byId('layered', HTMLInputElement);
  readonly #adapt = byId('adapt', HTMLInputElement);
  #bitrateChosen = false;

  constructor(onChange: (change: Change) => void) {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
    });
    this.form.addEventListener('change', (event) => {
      const { target } = event;
      if (target === this.#bitrate) this.#bitrateChosen = true;
      if (target === this.#height || target === this.#fps) this.#suggestBitrate();
      this.#showFields();
      onChange(this.#changeOf(target));
    });
    this.#layered.checked = suggestsLayers(navigator.hardwareConcurrency);
    this.#dropUnknownCodecs();
    this.#showFields();
  }

  /** Whether less is sent when the uplink, the computer or the battery asks for it. */
  get automatic(): boolean {
    return this.#adapt.checked;
  }

  get source(): Source {
    const value = new FormData(this.form).get('source');
    return value === 'screen' || value === 'test' ? value : 'camera';
  }

  get video(): VideoSettings {
    const kbits = this.#bitrate.valueAsNumber || 2500;
    return {
      height: HEIGHTS.find((height) => String(height) === this.#height.value) ?? 720,
      fps: FRAME_RATES.find((fps) => String(fps) === this.#fps.value) ?? 30,
      bitrate: Math.min(Math.max(kbits * 1000, MIN_BITRATE), MAX_BITRATE),
      codec: CODECS.find((codec) => codec === this.#codec.value) ?? '',
      layered: this.#layered.checked,
    };
  }

  get choice(): CaptureChoice {
    const microphone = this.#microphone.value;
    return {
      source: this.source,
      cameraId: this.#camera.value,
      microphoneId: microphone === NO_MICROPHONE ? '' : microphone,
      withMicrophone: microphone !== NO_MICROPHONE,
      voiceProcessing: this.#voice.checked,
      video: this.video,
    };
  }

  /** Fills the device lists. Browsers give names only once access was granted. */
  async listDevices(): Promise<void> {
    const media = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
    const found = (await media?.enumerateDevices().catch(() => undefined)) ?? [];
    fill(
      this.#camera,
      'Camera',
      found.filter(({ kind }) => kind === 'videoinput'),
    );
    fill(
      this.#microphone,
      'Microphone',
      found.filter(({ kind }) => kind === 'audioinput'),
    );
  }

  #changeOf(target: EventTarget | null): Change {
    if (target === this.#bitrate || target === this.#adapt) return 'encoder';
    if (target === this.#codec || target === this.#layered) return 'session';
    if (target instanceof Element && target.closest('#token, .reveal') !== null) return 'none';
    return 'capture';
  }

  #suggestBitrate(): void {
    if (this.#bitrateChosen) return;
    const { height, fps } = this.video;
    this.#bitrate.value = String(suggestedBitrate(height, fps) / 1000);
  }

  /** Shows the fields that the chosen source has. */
  #showFields(): void {
    for (const field of this.form.querySelectorAll<HTMLElement>('[data-for]')) {
      field.hidden = !(field.dataset.for ?? '').split(' ').includes(this.source);
    }
  }

  #dropUnknownCodecs(): void {
    const known = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
    for (const option of [...this.#codec.options]) {
      const mimeType = `video/${option.value}`.toLowerCase();
      const offered = known.some((codec) => codec.mimeType.toLowerCase() === mimeType);
      if (option.value !== '' && !offered) option.remove();
    }
  }
}

/** Keeps the fixed options, replaces the devices, and keeps the choice if its device is still there. */
function fill(select: HTMLSelectElement, kind: string, devices: MediaDeviceInfo[]): void {
  const chosen = select.value;
  for (const option of select.querySelectorAll('[data-device]')) option.remove();
  devices.forEach(({ deviceId, label }, index) => {
    if (deviceId === '' || deviceId === 'default' || deviceId === 'communications') return;
    const option = make('option', '', label || `${kind} ${index + 1}`);
    option.value = deviceId;
    option.dataset.device = '';
    select.append(option);
  });
  if ([...select.options].some(({ value }) => value === chosen)) select.value = chosen;
}
