import os from 'node:os';
import path from 'node:path';

/** Where downloads and made media are kept: outside the checkout, so that a fresh clone finds them again. */
export const CACHE = path.join(
  process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'),
  'spillway',
);
/** The Python that has aiortc and imageio-ffmpeg: made by setup.sh. */
export const PYTHON = path.join(CACHE, 'venv', 'bin', 'python');
