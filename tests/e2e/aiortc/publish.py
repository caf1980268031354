"""Publishes a moving picture (H.264 or VP8) and a tone (Opus) by WHIP, with aiortc, for some seconds."""

import argparse
import asyncio
import fractions
import math
import time

import aiohttp
import av
import numpy
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack


class Picture(VideoStreamTrack):
    """A bright bar that moves over a gradient."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        picture = numpy.zeros((360, 640, 3), numpy.uint8)
        picture[:, :, 1] = numpy.linspace(0, 255, 640, dtype=numpy.uint8)
        left = int(pts * time_base * 160) % 576
        picture[120:240, left : left + 64] = 255
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(MediaStreamTrack):
    """440 Hz, in stereo."""

    kind = "audio"
    RATE = 48_000
    SAMPLES = 960

    def __init__(self):
        super().__init__()
        self._start = time.monotonic()
        self._pts = 0

    async def recv(self):
        await asyncio.sleep(max(0, self._start + self._pts / self.RATE - time.monotonic()))
        times = (numpy.arange(self.SAMPLES) + self._pts) * (2 * math.pi * 440 / self.RATE)
        samples = numpy.repeat((numpy.sin(times) * 8000).astype(numpy.int16), 2)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = self.RATE, self._pts
        frame.time_base = fractions.Fraction(1, self.RATE)
        self._pts += self.SAMPLES
        return frame


async def main(options):
    peer = RTCPeerConnection()
    peer.addTrack(Tone())
    sender = peer.addTrack(Picture())
    for transceiver in peer.getTransceivers():
        transceiver.direction = "sendonly"
        if transceiver.sender is sender:
            codecs = RTCRtpSender.getCapabilities("video").codecs
            transceiver.setCodecPreferences([c for c in codecs if c.mimeType == f"video/{options.codec}"])
    await peer.setLocalDescription(await peer.createOffer())
    headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {options.token}"}
    async with aiohttp.ClientSession() as http:
        async with http.post(options.url, data=peer.localDescription.sdp, headers=headers) as response:
            body = await response.text()
            if response.status != 201:
                raise SystemExit(f"refused: {response.status} {body}")
            session = response.headers["Location"]
        await peer.setRemoteDescription(RTCSessionDescription(body, "answer"))
        await asyncio.sleep(options.seconds)
        print(f"state {peer.connectionState}", flush=True)
        await peer.close()
        async with http.delete(aiohttp.client.URL(options.url).join(aiohttp.client.URL(session)), headers=headers) as response:
            print(f"deleted {response.status}", flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("--token", required=True)
parser.add_argument("--codec", default="H264")
parser.add_argument("--seconds", type=float, default=10)
asyncio.run(main(parser.parse_args()))
