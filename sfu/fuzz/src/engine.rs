use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use spillway_sfu::{
    Accepted, Candidate, CandidateTransport, ChannelName, EndReason, Engine, EngineConfig, Event,
    Limits, Output, Path, PeerMessage, PublishRequest, WatchRequest, WorkerId,
    rtp::time::PlayoutDelay,
};

use super::{
    peer::Peer,
    stun::{CERTIFICATE, path},
};

const PUBLISHER: u16 = 1;
const VIEWER: u16 = 2;
const ELSEWHERE: u16 = 3;
/// Of one input; more only takes longer.
const MAX_STEPS: usize = 64;

/// A node with a publisher and a viewer, all connected. The input is a list of steps, each a byte that says what
/// comes and a byte that says how long it is: authentic packets of either, foreign ones, time.
pub fn engine(data: &[u8]) {
    let mut node = Node::new();
    let accepted = node.publish();
    let mut publisher = Peer::connect(&mut node, &accepted, path(PUBLISHER));
    let accepted = node.watch();
    let mut viewer = Peer::connect(&mut node, &accepted, path(VIEWER));

    let mut rest = data;
    for _ in 0..MAX_STEPS {
        let Some((&[what, len], behind)) = rest.split_first_chunk() else {
            break;
        };
        let (bytes, behind) = behind.split_at(usize::from(len).min(behind.len()));
        rest = behind;
        match what % 8 {
            0 => publisher.send_rtp(&mut node, bytes),
            1 => publisher.send_rtcp(&mut node, bytes),
            2 => viewer.send_rtcp(&mut node, bytes),
            3 => publisher.check(&mut node, path(ELSEWHERE), bytes),
            4 => node.receive(path(PUBLISHER), &mut bytes.to_vec()),
            5 => node.receive(path(ELSEWHERE), &mut bytes.to_vec()),
            6 => viewer.send_rtp(&mut node, bytes),
            _ => node.wait(Duration::from_millis(10 * u64::from(len))),
        }
        node.engine.flush(node.now, &mut node.out);
        for sent in node.take_sent() {
            match sent.path.remote.port() {
                VIEWER => viewer.receive(node.now, sent),
                _ => publisher.receive(node.now, sent),
            }
        }
    }
}

/// The engine under test, its clock, and what leaves it.
pub(crate) struct Node {
    engine: Engine,
    pub(crate) now: Instant,
    out: Out,
}

/// A datagram that left.
pub(crate) struct Sent {
    path: Path,
    pub(crate) datagram: Vec<u8>,
}

#[derive(Default)]
struct Out {
    sent: Vec<Sent>,
    /// What was sealed, by path, sequence number and SSRC.
    sealed: HashMap<(Path, [u8; 6]), Vec<u8>>,
}

impl Node {
    fn new() -> Self {
        let now = Instant::now();
        let config = EngineConfig {
            worker: WorkerId(0),
            workers: 1,
            certificate: Arc::clone(&CERTIFICATE),
            candidates: vec![Candidate {
                transport: CandidateTransport::Udp,
                address: "127.0.0.1:8189".parse().expect("an address"),
                base: None,
            }],
            // Small, so that bounds are reached.
            limits: Limits {
                sessions: 2,
                cached_bytes_per_layer: 4096,
                cached_bytes: 6000,
                ..Limits::default()
            },
            playout_delay: PlayoutDelay::from_bytes([0; 3]),
            unix_time: Duration::from_hours(500_000),
        };
        Self {
            engine: Engine::new(config, now),
            now,
            out: Out::default(),
        }
    }

    fn publish(&mut self) -> Accepted {
        let request = PublishRequest {
            channel: channel(),
            offer: offer("sendonly"),
            take_over: false,
        };
        self.engine
            .publish(self.now, request, &mut self.out)
            .expect("the offer is sound")
    }

    fn watch(&mut self) -> Accepted {
        let request = WatchRequest {
            channel: channel(),
            offer: offer("recvonly"),
            selection: spillway_sfu::LayerSelection::default(),
            wait: true,
            for_others: false,
        };
        self.engine
            .watch(self.now, request, &mut self.out)
            .expect("the offer is sound")
    }

    /// A datagram arrives.
    pub(crate) fn receive(&mut self, path: Path, datagram: &mut [u8]) {
        self.engine
            .handle_datagram(self.now, path, datagram, &mut self.out);
    }

    pub(crate) fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.out.sent)
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.engine.next_timeout() <= until {
            self.now = self.now.max(self.engine.next_timeout());
            self.engine.handle_timeout(self.now, &mut self.out);
            assert!(
                self.engine.next_timeout() > self.now,
                "a timer that is handled is done"
            );
        }
        self.now = until;
    }
}

impl Output for Out {
    fn send(&mut self, path: Path, datagrams: &[u8], segment: usize) {
        for datagram in datagrams.chunks(segment) {
            self.never_reseals(path, datagram);
            self.sent.push(Sent {
                path,
                datagram: datagram.to_vec(),
            });
        }
    }

    fn peer(&mut self, _: WorkerId, _: PeerMessage) {
        unreachable!("there is one worker");
    }

    fn event(&mut self, event: Event) {
        if let Event::Ended { reason, .. } = event {
            let allowed = [EndReason::ConsentExpired, EndReason::CodecUnsupported];
            assert!(
                allowed.contains(&reason),
                "no packet ends a session: {reason:?}"
            );
        }
    }
}

impl Out {
    /// With GCM, two packets under one index give the key away.
    fn never_reseals(&mut self, path: Path, datagram: &[u8]) {
        let is_media = |first: &u8, second: &u8| *first >> 6 == 2 && !(192..224).contains(second);
        let [first, second, s0, s1, _, _, _, _, a, b, c, d, ..] = datagram else {
            return;
        };
        if is_media(first, second) {
            let index = [*s0, *s1, *a, *b, *c, *d];
            let before = self
                .sealed
                .entry((path, index))
                .or_insert_with(|| datagram.to_vec());
            assert_eq!(
                before, datagram,
                "an index is sealed once, or the same again"
            );
        }
    }
}

fn channel() -> ChannelName {
    "fuzzed".parse().expect("a channel name")
}

/// H.264, VP8, VP9 and Opus, with the SSRCs that the corpus uses for H.264 and Opus.
fn offer(direction: &str) -> String {
    let ssrcs = |lines: &'static str| if direction == "sendonly" { lines } else { "" };
    let transport = Peer::offer_lines();
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n{transport}\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na={direction}\r\na=rtcp-mux\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n{}\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 102\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na={direction}\r\na=rtcp-mux\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n\
         a=rtcp-fb:102 nack\r\na=rtcp-fb:102 nack pli\r\na=rtcp-fb:102 ccm fir\r\na=rtcp-fb:102 transport-cc\r\n\
         a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
         a=rtpmap:98 VP9/90000\r\na=rtcp-fb:98 nack\r\n\
         a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n{}",
        ssrcs("a=ssrc:1 cname:c\r\n"),
        ssrcs("a=ssrc-group:FID 2 3\r\na=ssrc:2 cname:c\r\na=ssrc:3 cname:c\r\n"),
    )
}
