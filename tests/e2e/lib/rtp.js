/** The largest RTP packet. */
const MAX_PACKET = 1200;
/** Sent packets that are kept for NACKs. */
const HISTORY = 1024;
const NTP_EPOCH_S = 2_208_988_800;

/** Makes the RTP packets of one stream, and keeps the last ones. */
export class RtpStream {
  #sequence = 0;
  #history = new Map();
  #extension;
  packets = 0;
  octets = 0;
  /** Timestamp of the last packet, and when it was made (`Date.now()`). */
  timestamp = 0;
  at = 0;

  /** @param {{ ssrc: number, payloadType: number, extensions: [number, string][] }} options */
  constructor({ ssrc, payloadType, extensions }) {
    Object.assign(this, { ssrc, payloadType });
    this.#extension = oneByteExtensions(extensions);
  }

  /** One packet with this payload. */
  packet(payload, timestamp, marker) {
    const header = Buffer.alloc(12);
    header[0] = this.#extension.length > 0 ? 0x90 : 0x80;
    header[1] = this.payloadType | (marker ? 0x80 : 0);
    header.writeUInt16BE(this.#sequence, 2);
    header.writeUInt32BE(timestamp % 2 ** 32, 4);
    header.writeUInt32BE(this.ssrc, 8);
    const packet = Buffer.concat([header, this.#extension, payload]);
    this.#history.set(this.#sequence, packet);
    this.#history.delete((this.#sequence - HISTORY + 65_536) % 65_536);
    this.#sequence = (this.#sequence + 1) % 65_536;
    Object.assign(this, {
      timestamp,
      at: Date.now(),
      packets: this.packets + 1,
      octets: this.octets + payload.length,
    });
    return packet;
  }

  /** The packets of one access unit (RFC 6184 §5.6 and §5.8, packetization-mode 1). */
  h264(nals, timestamp) {
    const room = MAX_PACKET - 12 - this.#extension.length;
    const payloads = nals.flatMap((nal) => (nal.length <= room ? [nal] : fragments(nal, room)));
    return payloads.map((payload, i) => this.packet(payload, timestamp, i === payloads.length - 1));
  }

  /** The packets that a generic NACK's entries name (RFC 4585 §6.2.1), as far as they are kept. */
  lost(entries) {
    const packets = [];
    for (let offset = 0; offset + 4 <= entries.length; offset += 4) {
      const [first, mask] = [entries.readUInt16BE(offset), entries.readUInt16BE(offset + 2)];
      for (let i = 0; i <= 16; i++) {
        const named = i === 0 || (mask >> (i - 1)) & 1;
        const packet = this.#history.get((first + i) % 65_536);
        if (named && packet) packets.push(packet);
      }
    }
    return packets;
  }
}

function fragments(nal, room) {
  const [indicator, type] = [(nal[0] & 0xe0) | 28, nal[0] & 0x1f];
  const pieces = [];
  for (let offset = 1; offset < nal.length; offset += room - 2) {
    const end = Math.min(offset + room - 2, nal.length);
    const flags = (offset === 1 ? 0x80 : 0) | (end === nal.length ? 0x40 : 0);
    pieces.push(Buffer.concat([Buffer.from([indicator, flags | type]), nal.subarray(offset, end)]));
  }
  return pieces;
}

/** RFC 8285 §4.2. */
function oneByteExtensions(extensions) {
  if (extensions.length === 0) return Buffer.alloc(0);
  const elements = extensions.map(([id, text]) =>
    Buffer.from([(id << 4) | (text.length - 1), ...Buffer.from(text)]),
  );
  const body = Buffer.concat(elements);
  const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
  return Buffer.concat([Buffer.from([0xbe, 0xde, 0, padded.length / 4]), padded]);
}

/** Writes sender reports (RFC 3550 §6.4.1) of a stream. */
export class SrReport {
  constructor(stream, clockRate) {
    Object.assign(this, { stream, clockRate });
  }

  write() {
    const { stream, clockRate } = this;
    const now = Date.now();
    const timestamp = stream.timestamp + Math.round(((now - stream.at) * clockRate) / 1000);
    const report = Buffer.alloc(28);
    report.writeUInt32BE(0x80c80006, 0);
    report.writeUInt32BE(stream.ssrc, 4);
    report.writeUInt32BE(Math.floor(now / 1000) + NTP_EPOCH_S, 8);
    report.writeUInt32BE(Math.floor(((now % 1000) / 1000) * 2 ** 32), 12);
    report.writeUInt32BE(timestamp % 2 ** 32, 16);
    report.writeUInt32BE(stream.packets, 20);
    report.writeUInt32BE(stream.octets, 24);
    return report;
  }
}
