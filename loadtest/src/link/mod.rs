//! A network link in user space: two TUN devices, one in each of two network namespaces, and a relay
//! between them that treats packets as [`model`] says.
//!
//! A line on standard input changes the conditions from then on: options as on the command line, such as
//! `--rate 800kbit --back-loss 20%`.

use std::time::{Instant, SystemTime};
use std::{io, thread};

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tun_rs::AsyncDevice;

pub mod model;
pub mod options;
pub mod tun;

use model::{Counts, Model};
use options::LinkConditions;

/// Bytes of the largest packet a TUN device gives us.
const MAX_PACKET: usize = 1 << 16;

/// The options of `spillway-loadtest link`.
#[derive(Args)]
pub struct Options {
    /// Network namespace of end A (see `ip netns`); `.` is the one that this runs in.
    #[arg(long, value_name = "NETNS")]
    a: String,
    /// Network namespace of end B.
    #[arg(long, value_name = "NETNS")]
    b: String,
    /// Address of end A in a network of 30 bits.
    #[arg(long, default_value = "10.77.0.1")]
    address_a: std::net::Ipv4Addr,
    /// Address of end B.
    #[arg(long, default_value = "10.77.0.2")]
    address_b: std::net::Ipv4Addr,
    #[command(flatten)]
    conditions: LinkConditions,
    /// Seed of all chances; drawn and printed if not given.
    #[arg(long)]
    seed: Option<u64>,
}

/// One direction: where it leads, and what happens on the way.
struct Direction {
    to: AsyncDevice,
    model: Model<Vec<u8>>,
}

/// The link's two directions, and what holds for them.
struct Link {
    conditions: LinkConditions,
    to_a: Direction,
    to_b: Direction,
}

/// Runs the link until SIGTERM or SIGINT, then prints what became of the packets.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let device_a = tun::create(&options.a, options.address_a).context("end A")?;
    let device_b = tun::create(&options.b, options.address_b).context("end B")?;
    println!("seed {seed}");
    println!(
        "link up: {} in {} and {} in {}",
        options.address_a, options.a, options.address_b, options.b
    );
    let mut link = Link {
        to_b: Direction {
            to: device_b,
            model: Model::new(options.conditions.forward(), seed),
        },
        to_a: Direction {
            to: device_a,
            model: Model::new(options.conditions.backward(), seed.wrapping_add(1)),
        },
        conditions: options.conditions,
    };
    link.relay().await?;
    report("A to B", link.to_b.model.counts());
    report("B to A", link.to_a.model.counts());
    Ok(())
}

impl Link {
    async fn relay(&mut self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut changes = read_lines();
        let mut may_change = true;
        let (mut from_a, mut from_b) = (vec![0; MAX_PACKET], vec![0; MAX_PACKET]);
        loop {
            let next = [&self.to_a.model, &self.to_b.model]
                .into_iter()
                .filter_map(Model::next_arrival)
                .min();
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                length = self.to_a.to.recv(&mut from_a) => self.to_b.take(&from_a[..length?]),
                length = self.to_b.to.recv(&mut from_b) => self.to_a.take(&from_b[..length?]),
                line = changes.recv(), if may_change => match line {
                    Some(line) => self.change(&line),
                    None => may_change = false,
                },
                () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {}
            }
            self.to_a.deliver().await;
            self.to_b.deliver().await;
        }
    }

    fn change(&mut self, line: &str) {
        match self.conditions.change(line) {
            Ok(()) => {
                self.to_b.model.set_conditions(self.conditions.forward());
                self.to_a.model.set_conditions(self.conditions.backward());
                println!("{} changed: {line}", unix_ms());
            }
            Err(error) => println!("{} not changed: {line}\n{error}", unix_ms()),
        }
    }
}

impl Direction {
    fn take(&mut self, packet: &[u8]) {
        self.model.send(Instant::now(), packet.to_vec());
    }

    async fn deliver(&mut self) {
        while let Some(packet) = self.model.receive(Instant::now()) {
            // An end that can't take a packet (its device is down) loses it, as a real one would.
            let _ = self.to.send(&packet).await;
        }
    }
}

/// The lines of standard input. A thread of its own reads them: it may wait for ever, and ends with the program.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn unix_ms() -> u128 {
    SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_millis())
}

fn report(direction: &str, counts: Counts) {
    let Counts {
        sent,
        sent_bytes,
        overflowed,
        lost,
        reordered,
        duplicated,
        delivered,
    } = counts;
    println!(
        "{direction}: {sent} packets ({sent_bytes} bytes) sent, {delivered} delivered, {lost} lost, \
         {overflowed} dropped by the full queue, {reordered} reordered, {duplicated} duplicated"
    );
}
