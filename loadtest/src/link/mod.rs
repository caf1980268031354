//! A network link in user space: two TUN devices, one in each of two network namespaces, and a relay
//! between them that treats packets as [`model`] says.

use std::time::Instant;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep_until;
use tun_rs::AsyncDevice;

pub mod model;
pub mod tun;
pub mod units;

use model::{BurstLoss, Conditions, Counts, Model, QueueLimit};

/// Bytes of the largest packet a TUN device gives us.
const MAX_PACKET: usize = 1 << 16;

/// The options of `spillway-loadtest link`. Conditions hold for both directions, unless `--back-*` says
/// otherwise for the way from B to A.
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
    /// Rate, such as 6mbit.
    #[arg(long, value_parser = units::rate)]
    rate: Option<u64>,
    /// Rate from B to A, if it differs.
    #[arg(long, value_parser = units::rate)]
    back_rate: Option<u64>,
    /// Delay in each direction, such as 20ms.
    #[arg(long, value_parser = units::time, default_value = "0ms")]
    delay: std::time::Duration,
    /// Jitter on top of the delay: evenly spread from 0 to this.
    #[arg(long, value_parser = units::time, default_value = "0ms")]
    jitter: std::time::Duration,
    /// Random loss, such as 2%.
    #[arg(long, value_parser = units::share, default_value = "0%")]
    loss: f64,
    /// Random loss from B to A, if it differs.
    #[arg(long, value_parser = units::share)]
    back_loss: Option<f64>,
    /// Loss in bursts: share of packets and mean burst, such as 1%:8.
    #[arg(long, value_parser = units::burst_loss)]
    burst_loss: Option<BurstLoss>,
    /// Share of packets that are held back, so that others overtake them.
    #[arg(long, value_parser = units::share, default_value = "0%")]
    reorder: f64,
    /// How long packets are held back.
    #[arg(long, value_parser = units::time, default_value = "10ms")]
    reorder_by: std::time::Duration,
    /// Share of packets that arrive twice.
    #[arg(long, value_parser = units::share, default_value = "0%")]
    duplicate: f64,
    /// What may wait for the rate, in time or bytes, such as 300ms or 64kB.
    #[arg(long, value_parser = units::queue)]
    queue: Option<QueueLimit>,
    /// Seed of all chances; drawn and printed if not given.
    #[arg(long)]
    seed: Option<u64>,
}

impl Options {
    fn forward(&self) -> Conditions {
        Conditions {
            rate: self.rate,
            queue: self.queue,
            delay: self.delay,
            jitter: self.jitter,
            loss: self.loss,
            burst_loss: self.burst_loss,
            reorder: self.reorder,
            reorder_by: self.reorder_by,
            duplicate: self.duplicate,
        }
    }

    fn backward(&self) -> Conditions {
        Conditions {
            rate: self.back_rate.or(self.rate),
            loss: self.back_loss.unwrap_or(self.loss),
            ..self.forward()
        }
    }
}

/// One direction: where it leads, and what happens on the way.
struct Direction {
    to: AsyncDevice,
    model: Model<Vec<u8>>,
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
    let mut to_b = Direction {
        to: device_b,
        model: Model::new(options.forward(), seed),
    };
    let mut to_a = Direction {
        to: device_a,
        model: Model::new(options.backward(), seed.wrapping_add(1)),
    };
    relay(&mut to_a, &mut to_b).await?;
    report("A to B", to_b.model.counts());
    report("B to A", to_a.model.counts());
    Ok(())
}

async fn relay(to_a: &mut Direction, to_b: &mut Direction) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (mut from_a, mut from_b) = (vec![0; MAX_PACKET], vec![0; MAX_PACKET]);
    loop {
        let next = [&to_a.model, &to_b.model]
            .into_iter()
            .filter_map(Model::next_arrival)
            .min();
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            length = to_a.to.recv(&mut from_a) => to_b.model.send(Instant::now(), from_a[..length?].to_vec()),
            length = to_b.to.recv(&mut from_b) => to_a.model.send(Instant::now(), from_b[..length?].to_vec()),
            () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {}
        }
        deliver(to_a).await;
        deliver(to_b).await;
    }
}

async fn deliver(direction: &mut Direction) {
    while let Some(packet) = direction.model.receive(Instant::now()) {
        // An end that can't take a packet (its device is down) loses it, as a real one would.
        let _ = direction.to.send(&packet).await;
    }
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
