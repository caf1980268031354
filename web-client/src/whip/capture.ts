import { startTestPicture } from './test-picture.ts';
import { widthOf, type VideoSettings } from './settings.ts';

export type Source = 'camera' | 'screen' | 'test';

export interface CaptureChoice {
  source: Source;
  /** Device ids; empty means the browser's default. */
  cameraId: string;
  microphoneId: string;
  /** Whether the microphone is captured beside a screen. */
  withMicrophone: boolean;
  /** Echo cancellation, noise suppression and automatic gain: good for speech, bad for music. */
  voiceProcessing: boolean;
  video: Pick<VideoSettings, 'height' | 'fps'>;
}

/** Tracks that are being captured. `stop` frees the devices. */
export interface Capture {
  source: Source;
  media: MediaStream;
  stop: () => void;
}

export async function capture(choice: CaptureChoice): Promise<Capture> {
  switch (choice.source) {
    case 'camera':
      return ofDevices(choice.source, await captureCamera(choice));
    case 'screen':
      return ofDevices(choice.source, await captureScreen(choice));
    case 'test':
      return { source: 'test', ...startTestPicture(choice.video.height, choice.video.fps) };
  }
}

function ofDevices(source: Source, media: MediaStream): Capture {
  const [video] = media.getVideoTracks();
  if (video !== undefined) video.contentHint = source === 'screen' ? 'detail' : 'motion';
  return {
    source,
    media,
    stop: () => {
      for (const track of media.getTracks()) track.stop();
    },
  };
}

function captureCamera(choice: CaptureChoice): Promise<MediaStream> {
  const { height, fps } = choice.video;
  return devices().getUserMedia({
    video: {
      ...exactDevice(choice.cameraId),
      width: { ideal: widthOf(height) },
      height: { ideal: height },
      frameRate: { ideal: fps },
    },
    audio: choice.withMicrophone ? microphone(choice) : false,
  });
}

async function captureScreen(choice: CaptureChoice): Promise<MediaStream> {
  const { height, fps } = choice.video;
  const screen = await devices().getDisplayMedia({
    video: { width: { max: widthOf(height) }, height: { max: height }, frameRate: { ideal: fps } },
    audio: true,
  });
  // A session carries one audio track: the screen's own sound wins over the microphone.
  if (!choice.withMicrophone || screen.getAudioTracks().length > 0) return screen;
  try {
    const voice = await devices().getUserMedia({ audio: microphone(choice) });
    for (const track of voice.getAudioTracks()) screen.addTrack(track);
    return screen;
  } catch (error) {
    for (const track of screen.getTracks()) track.stop();
    throw error;
  }
}

function microphone(choice: CaptureChoice): MediaTrackConstraints {
  return {
    ...exactDevice(choice.microphoneId),
    channelCount: { ideal: 2 },
    echoCancellation: choice.voiceProcessing,
    noiseSuppression: choice.voiceProcessing,
    autoGainControl: choice.voiceProcessing,
  };
}

function exactDevice(id: string): MediaTrackConstraints {
  return id === '' ? {} : { deviceId: { exact: id } };
}

/** Browsers have no media devices at all on insecure origins, whatever the types say. */
function devices(): MediaDevices {
  const found = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
  if (found === undefined) throw new DOMException('No media devices here.', 'SecurityError');
  return found;
}
