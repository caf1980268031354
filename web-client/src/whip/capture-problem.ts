import type { Source } from './capture.ts';

/** Why nothing could be captured, in words that tell the streamer what to do. */
export interface CaptureProblem {
  title: string;
  advice: string;
}

const NAMES: Readonly<Record<Source, string>> = {
  camera: 'camera or microphone',
  screen: 'screen',
  test: 'test picture',
};

export function captureProblem(
  error: unknown,
  source: Source,
  isSecure: boolean,
  address: { origin: string; host: string; port: string; path: string },
): CaptureProblem {
  if (!isSecure && source !== 'test') return insecure(source, address);
  const name = error instanceof Error ? error.name : '';
  const device = NAMES[source];
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return {
        title: `Access to the ${device} was denied`,
        advice:
          source === 'screen'
            ? 'Choose a screen or window in the browser’s dialog. On macOS, allow screen recording for the browser in the system settings.'
            : 'Allow it with the icon beside the address bar, and in the privacy settings of your system, then try again.',
      };
    case 'NotFoundError':
      return {
        title: `No ${device} was found`,
        advice: 'Connect one and try again, or use the test picture.',
      };
    case 'OverconstrainedError':
      return {
        title: `The chosen ${device} is gone or can’t do this`,
        advice: 'Choose another device or a smaller picture size.',
      };
    case 'NotReadableError':
    case 'AbortError':
      return {
        title: `The ${device} could not be started`,
        advice: 'Another program may be using it. Close that program and try again.',
      };
    default:
      return {
        title: `The ${device} could not be started`,
        advice: error instanceof Error ? error.message : 'Try again, or use the test picture.',
      };
  }
}

/** Browsers give cameras and screens only to secure origins. */
function insecure(
  source: Source,
  { origin, host, port, path }: Parameters<typeof captureProblem>[3],
): CaptureProblem {
  const local = `http://localhost${port === '' ? '' : `:${port}`}${path}`;
  return {
    title: `Browsers give the ${NAMES[source]} only to secure pages`,
    advice:
      `${origin} is not secure. On the node’s own machine open ${local}. From elsewhere use https://${host}: ` +
      'start the node with --tls-cert and --tls-key, or put it behind a TLS proxy. ' +
      'The test picture and OBS work without.',
  };
}
