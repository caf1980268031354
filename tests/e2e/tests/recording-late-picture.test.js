import assert from 'node:assert/strict';
import test from 'node:test';
import { artifact } from '../lib/artifacts.js';
import { harness } from '../lib/harness.js';
import { sleep, until } from '../lib/wait.js';

/** A streamer whose camera comes on later than the microphone, recorded and watched; and a node that stops while it records. */
const parts = harness('recording-late-picture', {
  hls: true,
  env: { SPILLWAY_CHANNELS_RECONNECT_GRACE: '2s' },
});
const CHANNEL = 'late';
/** How long there is sound alone, and then both. */
const DARK_S = 5;
const LIGHT_S = 5;

const json = async (pathname) => (await fetch(parts.spillway.url(pathname))).json();
const text = async (url) => (await fetch(url)).text();
const recorded = async () => (await json(`/api/v1/channels/${CHANNEL}/recordings`)).items?.[0];

/** Publishes from a page of the node's: a hum at once, a picture after `darkS`. Gives the page; the session is in it. */
async function publish(darkS) {
  const { spillway, chromium } = parts;
  const token = await spillway.token('publish', CHANNEL);
  const page = await (await chromium.newContext()).newPage();
  await page.goto(spillway.url('/'));
  await page.evaluate(
    async ({ channel, darkS, token }) => {
      const peer = new RTCPeerConnection();
      const camera = peer.addTransceiver('video', { direction: 'sendonly' });
      const codecs = RTCRtpSender.getCapabilities('video').codecs;
      camera.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === 'video/VP8'));
      const audio = new AudioContext();
      const hum = audio.createOscillator();
      const out = audio.createMediaStreamDestination();
      hum.connect(out);
      hum.start();
      peer.addTransceiver(out.stream.getAudioTracks()[0], { direction: 'sendonly' });
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
      const paint = canvas.getContext('2d');
      let hue = 0;
      setInterval(() => {
        paint.fillStyle = `hsl(${(hue += 7) % 360}, 80%, 50%)`;
        paint.fillRect(0, 0, 640, 360);
      }, 33);
      await peer.setLocalDescription();
      await new Promise((resolve) => {
        const look = () => peer.iceGatheringState === 'complete' && resolve();
        peer.addEventListener('icegatheringstatechange', look);
        look();
      });
      const answer = await fetch(`/whip/${channel}`, {
        method: 'POST',
        headers: { 'content-type': 'application/sdp', authorization: `Bearer ${token}` },
        body: peer.localDescription.sdp,
      });
      if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
      window.session = answer.headers.get('location');
      await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
      setTimeout(
        () => camera.sender.replaceTrack(canvas.captureStream(30).getVideoTracks()[0]),
        darkS * 1_000,
      );
    },
    { channel: CHANNEL, darkS, token },
  );
  return page;
}

const figures = (page) =>
  page.evaluate(() => {
    const { currentTime, videoWidth } = document.getElementById('video');
    return { currentTime, videoWidth };
  });

let recording;

test('what came before the first picture has a place in all playlists', async () => {
  const publisher = await publish(DARK_S);
  const live = parts.spillway.url(`/hls/${CHANNEL}/source/index.m3u8`);
  await until('there are pictures', async () => (await fetch(live)).ok, { timeout: 20_000 });

  // Live, as somebody who comes now.
  const viewer = await (await parts.chromium.newContext()).newPage();
  await viewer.goto(parts.spillway.url(`/watch/${CHANNEL}?player=hls`));
  await viewer.waitForSelector('html[data-state="playing"]', { timeout: 20_000 });
  await sleep(LIGHT_S * 1_000);
  await viewer.context().close();

  await publisher.evaluate(() => fetch(window.session, { method: 'DELETE' }));
  await publisher.context().close();
  recording = await until(
    'the recording is finished',
    async () => {
      const one = await recorded();
      return one?.state === 'ready' && one;
    },
    { timeout: 60_000, interval: 500 },
  );
  const lists = await Promise.all(
    ['source', 'audio'].map((rendition) =>
      text(new URL(`${rendition}/index.m3u8`, parts.spillway.url(recording.playlist))),
    ),
  );
  const segments = lists.map((list) => list.match(/^\d+\.m4s$/gm));
  assert.deepEqual(segments[0], segments[1]);
  assert.doesNotMatch(lists[0], /EXT-X-GAP/);
  assert.match(lists[0], /#EXT-X-MAP[^]*?#EXTINF[^]*?#EXT-X-DISCONTINUITY\n#EXT-X-MAP/);
});

test('Chromium plays it from its beginning, and into the picture', async () => {
  const page = await (await parts.chromium.newContext()).newPage();
  await page.goto(parts.spillway.url(`/vod/${recording.broadcast}`));
  await until('it plays', async () => (await figures(page)).currentTime > 1, { timeout: 20_000 });
  assert.ok((await figures(page)).currentTime < DARK_S, 'from the beginning');
  await until(
    'it plays into the picture',
    async () => {
      const { currentTime, videoWidth } = await figures(page);
      return currentTime > DARK_S + 2 && videoWidth === 640;
    },
    { timeout: 20_000 },
  );
  await page.screenshot({ path: artifact(parts.test, 'page.png') });
  await page.context().close();
});

test('a node that stops while it records complains of nothing', async () => {
  const publisher = await publish(0);
  const before = recording.broadcast;
  await until(
    'it is recorded',
    async () => {
      const one = await recorded();
      return one?.broadcast !== before && one?.duration_ms > 2_000;
    },
    { timeout: 30_000, interval: 500 },
  );
  const said = parts.spillway.log.length;
  await parts.spillway.stopServer('SIGINT');
  const log = parts.spillway.log.slice(said);
  assert.match(log, /stopping: new sessions are refused/);
  // A busy machine may be too slow for what it has to encode, also then.
  const alarms = log.split('\n').filter((line) => /\b(WARN|ERROR)\b/.test(line));
  const unexpected = alarms.filter((line) => !/this machine is too slow/.test(line));
  assert.deepEqual(unexpected, []);
  await publisher.context().close();
});
