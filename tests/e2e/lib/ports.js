import dgram from 'node:dgram';
import net from 'node:net';

const FIRST = 20_000;
const LAST = 32_000;

/** Ports handed out by this process, so that two servers of one test don't get the same. */
let next = FIRST + Math.floor(Math.random() * (LAST - FIRST));

/** The first of `count` consecutive ports that are free for TCP and UDP. */
export async function freePorts(count = 1) {
  for (;;) {
    if (next + count > LAST) next = FIRST;
    const base = next;
    next += count;
    const ports = Array.from({ length: count }, (_, i) => base + i);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return base;
  }
}

async function isFree(port) {
  return (await bindsTcp(port)) && (await bindsUdp(port));
}

function bindsTcp(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}

function bindsUdp(port) {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '0.0.0.0', () => socket.close(() => resolve(true)));
  });
}
