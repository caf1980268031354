//! Against a real node, with its demo broadcast. Runs where `SPILLWAY_BIN` names the node's binary.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use spillway_hls::media::{Content, Frame, Moment, VideoCodec};
use spillway_hls::receive::{Packet, Receiver, Statistics, TrackKind};
use spillway_hls::whep::{
    Ended, Event, KeyframeWishes, Options, Subscription, Token, Update, follow,
};

/// A node with its demo publisher.
struct Node {
    process: Child,
    options: Options,
    binary: PathBuf,
    http: u16,
    media: u16,
    data: tempfile::TempDir,
}

impl Node {
    fn start() -> Option<Self> {
        let Some(binary) = std::env::var_os("SPILLWAY_BIN").map(PathBuf::from) else {
            eprintln!("skipped: SPILLWAY_BIN names no node");
            return None;
        };
        let data = tempfile::tempdir().unwrap();
        // A port for each worker from `media` on; and none that the system gives away.
        let http = rand::random_range(20_000..24_000);
        let media = rand::random_range(24_000..32_000);
        let process = serve(&binary, data.path(), http, media);
        wait_for(http);
        let token = Command::new(&binary)
            .args(["token", "view", "demo", "--data-dir"])
            .arg(data.path())
            .output()
            .unwrap();
        let token = String::from_utf8(token.stdout).unwrap();
        let options = Options {
            node: format!("http://127.0.0.1:{http}").parse().unwrap(),
            channel: "demo".to_owned(),
            token: Some(Token::new(token.trim())),
        };
        Some(Self {
            process,
            options,
            binary,
            http,
            media,
            data,
        })
    }

    fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = serve(&self.binary, self.data.path(), self.http, self.media);
        wait_for(self.http);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(binary: &Path, data: &Path, http: u16, media: u16) -> Child {
    Command::new(binary)
        .args(["serve", "--demo", "--http", &format!("127.0.0.1:{http}")])
        .args(["--media-port", &media.to_string(), "--data-dir"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(http: u16) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !is_up(http).unwrap_or(false) {
        assert!(Instant::now() < give_up, "the node doesn't come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The demo publisher goes live.
    std::thread::sleep(Duration::from_secs(2));
}

fn is_up(http: u16) -> std::io::Result<bool> {
    let mut connection = TcpStream::connect(("127.0.0.1", http))?;
    connection.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer.contains("200"))
}

/// What came, and when by the wall clock in microseconds.
#[derive(Default)]
struct Watched {
    frames: Vec<(i64, Frame)>,
    connected: usize,
    interrupted: Vec<Ended>,
    statistics: Statistics,
}

impl Watched {
    async fn watch(&mut self, options: &Options, time: Duration) -> Option<Ended> {
        let sink = |update| match update {
            Update::Connected => self.connected += 1,
            Update::Frame(frame) => self.frames.push((wall_clock(), frame)),
            Update::Statistics(statistics) => self.statistics = statistics,
            Update::Interrupted { why, .. } => {
                eprintln!("interrupted: {why}");
                self.interrupted.push(why);
            }
        };
        let wishes = KeyframeWishes::default();
        let following = follow(options, &wishes, sink);
        tokio::time::timeout(time, following).await.ok()
    }

    fn of(&self, video: bool) -> Vec<&(i64, Frame)> {
        let is_video = |frame: &Frame| matches!(frame.content, Content::Video { .. });
        let frames = self.frames.iter();
        frames
            .filter(|(_, frame)| is_video(frame) == video)
            .collect()
    }
}

fn wall_clock() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_micros() as i64
}

/// The median of how long frames were under way: from their time to their arrival, in microseconds.
fn delay(frames: &[&(i64, Frame)]) -> i64 {
    let mut delays: Vec<i64> = frames
        .iter()
        .map(|(arrived, frame)| arrived - frame.time.0)
        .collect();
    delays.sort_unstable();
    delays[delays.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_comes_whole_and_on_time() {
    let Some(node) = Node::start() else { return };
    let mut watched = Watched::default();
    let ended = watched.watch(&node.options, Duration::from_secs(12)).await;
    assert!(ended.is_none(), "{ended:?}");
    eprintln!("{:?}", watched.statistics);
    assert_eq!(watched.connected, 1);
    let (video, audio) = (watched.of(true), watched.of(false));
    let first = &video[0].1;
    assert_eq!(
        first.content,
        Content::Video {
            codec: VideoCodec::H264,
            keyframe: true
        }
    );
    for (frames, rate) in [(&video, 30.0), (&audio, 50.0)] {
        assert!(frames.iter().all(|(_, frame)| !frame.lost_before));
        let span = frames.last().unwrap().1.time.since(frames[0].1.time);
        let found = (frames.len() - 1) as f64 * 1e6 / span as f64;
        eprintln!("{found:.2} a second for {:.1} s", span as f64 / 1e6);
        // The demo leaves pictures out where the machine is busy.
        assert!((rate * 0.6..rate * 1.02).contains(&found));
    }
    // The second half is at the live edge.
    let (video, audio) = (&video[video.len() / 2..], &audio[audio.len() / 2..]);
    let (video, audio) = (delay(video), delay(audio));
    eprintln!("under way: pictures {video} µs, sound {audio} µs");
    assert!((video - audio).abs() < 40_000);
    assert!((-5_000..500_000).contains(&video) && (-5_000..500_000).contains(&audio));
    let statistics = watched.statistics;
    assert_eq!((statistics.video.lost, statistics.audio.lost), (0, 0));
    assert_eq!((statistics.video.dropped, statistics.clock_steps), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_is_found_again() {
    let Some(mut node) = Node::start() else {
        return;
    };
    let options = node.options.clone();
    let watching = tokio::spawn(async move {
        let mut watched = Watched::default();
        watched.watch(&options, Duration::from_secs(25)).await;
        watched
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    let node = tokio::task::spawn_blocking(move || {
        node.restart();
        node
    });
    let watched = watching.await.unwrap();
    drop(node.await.unwrap());
    eprintln!("{:?}", watched.interrupted);
    assert_eq!(watched.connected, 2);
    assert!(!watched.interrupted.is_empty());
    let (arrived, _) = watched.frames.last().unwrap();
    assert!(wall_clock() - arrived < 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_isnt_known_is_refused_for_good() {
    let Some(node) = Node::start() else { return };
    let options = Options {
        channel: "nobody".to_owned(),
        ..node.options.clone()
    };
    let ended = Watched::default()
        .watch(&options, Duration::from_secs(5))
        .await;
    let Some(Ended::Refused { status, .. }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_packets_are_sent_again() {
    let Some(node) = Node::start() else { return };
    let mut subscription = Box::pin(Subscription::open(&node.options)).await.unwrap();
    let mut asked: HashMap<u16, Packet> = HashMap::new();
    let (mut again, mut packets) = (0, 0);
    let end = Instant::now() + Duration::from_secs(8);
    while Instant::now() < end {
        let Event::Packet(packet) = subscription.next().await.unwrap() else {
            continue;
        };
        if packet.resent {
            if let Some(before) = asked.remove(&packet.sequence) {
                let resent = true;
                assert_eq!(packet, Packet { resent, ..before });
                again += 1;
            }
        } else if packet.coding.kind() == TrackKind::Video {
            packets += 1;
            if packets % 10 == 0 {
                let (ssrc, sequence) = (packet.ssrc, packet.sequence);
                subscription.request_resend(ssrc, &[sequence]).unwrap();
                asked.insert(sequence, packet);
            }
        }
    }
    eprintln!("{again} of {} came again", packets / 10);
    assert!(again > 10 && again + 3 >= packets / 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_comes_when_it_is_asked_for() {
    let Some(node) = Node::start() else { return };
    let mut subscription = Box::pin(Subscription::open(&node.options)).await.unwrap();
    let now = Instant::now();
    let mut receiver = Receiver::new(now, Moment(wall_clock()));
    let mut keyframes = Vec::new();
    let mut asked = None;
    while now.elapsed() < Duration::from_secs(9) {
        match subscription.next().await.unwrap() {
            Event::Packet(packet) => receiver.on_packet(Instant::now(), packet),
            Event::SenderReport {
                kind,
                ntp,
                timestamp,
            } => receiver.on_sender_report(Instant::now(), kind, ntp, timestamp),
            Event::Connected => {}
        }
        while let Some(frame) = receiver.poll(Instant::now()) {
            let keyframe = matches!(frame.content, Content::Video { keyframe: true, .. });
            if keyframe {
                keyframes.push(now.elapsed());
            }
        }
        // Behind a join a node sends its cache again, and just behind a keyframe it makes none.
        let due = keyframes
            .last()
            .map(|last| *last + Duration::from_millis(700));
        let due = due.filter(|due| *due > Duration::from_secs(4) && now.elapsed() > *due);
        if asked.is_none() && due.is_some() {
            asked = Some(now.elapsed());
            subscription.request_keyframe().unwrap();
        }
    }
    let asked = asked.unwrap();
    eprintln!("keyframes at {keyframes:?}, asked for at {asked:?}");
    let answer = keyframes.iter().find(|at| **at > asked).unwrap();
    assert!(*answer < asked + Duration::from_millis(700));
}
