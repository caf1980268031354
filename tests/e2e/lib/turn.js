import { freePorts } from './ports.js';
import { Process } from './process.js';
import { until } from './wait.js';

const USER = 'viewer';
const PASSWORD = 'relay';

/** A coturn that relays on loopback. */
export async function startTurn(test) {
  const port = await freePorts();
  const relays = await freePorts(32);
  const turn = new Process({
    test,
    name: 'coturn',
    command: process.env.TURNSERVER ?? 'turnserver',
    args: [
      ...[
        '-n',
        '--no-cli',
        '--no-tls',
        '--no-dtls',
        '--log-file',
        'stdout',
        '--simple-log',
        '--verbose',
      ],
      ...[
        '--listening-ip',
        '127.0.0.1',
        '--relay-ip',
        '127.0.0.1',
        '--listening-port',
        String(port),
      ],
      ...[
        '--min-port',
        String(relays),
        '--max-port',
        String(relays + 31),
        '--allow-loopback-peers',
      ],
      ...[
        '--lt-cred-mech',
        '--realm',
        'spillway.test',
        '--user',
        `${USER}:${PASSWORD}`,
        '--pidfile',
        '/dev/null',
      ],
    ],
  });
  await until('coturn listens', () => turn.output.includes(`127.0.0.1:${port}`));
  const iceServers = [
    { urls: `turn:127.0.0.1:${port}?transport=udp`, username: USER, credential: PASSWORD },
  ];
  return { iceServers, process: turn, stop: () => turn.stop() };
}
