//! The bare loop: headers are written, payloads sealed, bursts sent. Nothing that forwards media can do less.

use std::hint::black_box;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg, setsockopt, sockopt};

use super::{Options, cpu};

/// RTP header with mid and transport-wide number.
const HEADER: usize = 24;
const TAG: usize = 16;
/// Messages of one round, at least, if that doesn't take longer than so many seconds.
const MESSAGES: usize = 2_000;
const LONGEST: f64 = 1.0;
/// Packets that are under way at once on loopback.
const UNDER_WAY: u64 = 4_000;
const SEND_BUFFER: usize = 4 << 20;

pub(super) struct Sender {
    socket: UdpSocket,
    receivers: Vec<(SockaddrIn, LessSafeKey)>,
    payload: Vec<u8>,
    message: Vec<u8>,
    size: usize,
    /// From message to message to one receiver; none: without rest.
    between: Option<Duration>,
    sealed: u64,
    sent: u64,
}

fn key(number: usize) -> io::Result<LessSafeKey> {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    UnboundKey::new(&AES_128_GCM, &bytes)
        .map(LessSafeKey::new)
        .map_err(|_| io::Error::other("AES-128-GCM isn't available"))
}

impl Sender {
    pub(super) fn new(from: Ipv4Addr, to: &[SocketAddrV4], options: &Options) -> io::Result<Self> {
        let size = options.size;
        let socket = UdpSocket::bind((from, 0))?;
        // The larger one takes privileges.
        if setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &SEND_BUFFER)?;
        }
        let receivers = to
            .iter()
            .enumerate()
            .map(|(number, to)| Ok((SockaddrIn::from(*to), key(number)?)))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            socket,
            receivers,
            payload: vec![0xa6; size - HEADER - TAG],
            message: Vec::new(),
            size,
            between: (options.rhythm > 0.0).then(|| Duration::from_secs_f64(1.0 / options.rhythm)),
            sealed: 0,
            sent: 0,
        })
    }

    /// Nanoseconds of CPU for each packet, in messages of `burst` packets. `pause` is told how many datagrams must have
    /// arrived before more are sent.
    pub(super) fn round(&mut self, burst: usize, pause: impl Fn(u64)) -> io::Result<f64> {
        let mut rounds = MESSAGES.div_ceil(self.receivers.len());
        if let Some(between) = self.between {
            rounds = rounds.min((LONGEST / between.as_secs_f64()).ceil() as usize);
        }
        let (mut packets, mut paused) = (0, 0);
        let (mut spent, mut since) = (Duration::ZERO, cpu());
        let start = Instant::now();
        for round in 0..rounds {
            if let Some(between) = self.between {
                let due = start + between * round as u32;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            for receiver in 0..self.receivers.len() {
                self.fill(burst, receiver)?;
                self.send(receiver)?;
                packets += burst as u64;
                self.sent += burst as u64;
                if packets - paused >= UNDER_WAY {
                    spent += since_then(since);
                    paused = packets;
                    pause(self.sent);
                    since = cpu();
                }
            }
        }
        spent += since_then(since);
        pause(self.sent);
        Ok(spent.as_nanos() as f64 / packets as f64)
    }

    /// Nanoseconds of CPU for each packet that is only sealed.
    pub(super) fn seal_only(&mut self) -> io::Result<f64> {
        const PACKETS: usize = 20_000;
        const BURST: usize = 16;
        let key = key(0)?;
        let before = cpu();
        for _ in 0..PACKETS / BURST {
            self.message.clear();
            for _ in 0..BURST {
                self.sealed += 1;
                seal(&key, self.sealed, &self.payload, &mut self.message)?;
            }
            black_box(&self.message);
        }
        Ok(since_then(before).as_nanos() as f64 / PACKETS as f64)
    }

    fn fill(&mut self, burst: usize, receiver: usize) -> io::Result<()> {
        self.message.clear();
        let (_, key) = &self.receivers[receiver];
        (0..burst).try_for_each(|_| {
            self.sealed += 1;
            seal(key, self.sealed, &self.payload, &mut self.message)
        })
    }

    fn send(&self, receiver: usize) -> io::Result<()> {
        let size = self.size as u16;
        let segments = [ControlMessage::UdpGsoSegments(&size)];
        let controls = if self.message.len() > self.size {
            &segments[..]
        } else {
            &[]
        };
        sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(&self.message)],
            controls,
            MsgFlags::empty(),
            Some(&self.receivers[receiver].0),
        )?;
        Ok(())
    }
}

fn since_then(before: Duration) -> Duration {
    cpu().saturating_sub(before)
}

/// Appends a packet: its header, the payload sealed, the tag.
fn seal(key: &LessSafeKey, number: u64, payload: &[u8], message: &mut Vec<u8>) -> io::Result<()> {
    let number = number.to_be_bytes();
    let start = message.len();
    message.resize(start + HEADER, 0x90);
    message[start + 2..start + 10].copy_from_slice(&number);
    message.extend_from_slice(payload);
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number);
    let (header, payload) = message[start..].split_at_mut(HEADER);
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&*header),
            payload,
        )
        .map_err(|_| io::Error::other("sealing failed"))?;
    message.extend_from_slice(tag.as_ref());
    Ok(())
}
