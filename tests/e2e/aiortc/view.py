"""Views a channel by WHEP with aiortc for some seconds, and prints what was decoded as one JSON line."""

import argparse
import asyncio
import json

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError


async def count(track, seen):
    """Decodes a track: pictures with their size and how many differ from the one before; loudest sample."""
    last = None
    try:
        while True:
            frame = await track.recv()
            seen[f"{track.kind}Frames"] += 1
            if track.kind == "video":
                picture = frame.to_ndarray(format="gray")
                seen["width"], seen["height"] = frame.width, frame.height
                if last is not None and picture.shape == last.shape and (picture != last).any():
                    seen["changes"] += 1
                last = picture
            else:
                seen["loudest"] = max(seen["loudest"], int(abs(frame.to_ndarray()).max()))
    except MediaStreamError:
        pass


async def main(options):
    peer = RTCPeerConnection()
    seen = {"videoFrames": 0, "audioFrames": 0, "changes": 0, "loudest": 0, "width": 0, "height": 0}
    tasks = []
    peer.on("track", lambda track: tasks.append(asyncio.ensure_future(count(track, seen))))
    peer.addTransceiver("audio", direction="recvonly")
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    async with aiohttp.ClientSession() as http:
        headers = {"Content-Type": "application/sdp"}
        async with http.post(options.url, data=peer.localDescription.sdp, headers=headers) as response:
            body = await response.text()
            if response.status != 201:
                raise SystemExit(f"refused: {response.status} {body}")
            session = response.headers["Location"]
        await peer.setRemoteDescription(RTCSessionDescription(body, "answer"))
        await asyncio.sleep(options.seconds)
        await peer.close()
        await http.delete(aiohttp.client.URL(options.url).join(aiohttp.client.URL(session)))
    print(json.dumps(seen), flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("--seconds", type=float, default=5)
asyncio.run(main(parser.parse_args()))
