//! The floor: what the machine itself takes to rewrite, seal and send packets, in a bare loop without a server.
//!
//! Figures of different machines, or of one machine at different hours, can't be compared; their ratios to the floor of
//! the same minute can.

mod interface;
mod sender;
mod sink;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::thread;
use std::time::Duration;

use clap::Args;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;

use sender::Sender;
use sink::Sink;

/// Segments that kernels before 6.9 take in one message.
const MOST_SEGMENTS: usize = 64;
/// Each figure is the least of so many rounds: what disturbs a round only adds to it.
const ROUNDS: usize = 7;
/// Addresses behind the interface that drops (RFC 2544).
const NOWHERE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// Measures what rewriting, sealing and sending a packet costs on this machine, in a bare loop.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Receivers, each with keys of its own, served in turn.
    #[arg(long, default_value_t = 500)]
    pub viewers: usize,
    /// Packets in one message (GSO).
    #[arg(long, default_value = "1,2,4,8,16", value_delimiter = ',')]
    pub bursts: Vec<usize>,
    /// Bytes of a packet, header and tag included.
    #[arg(long, default_value_t = 1_200)]
    pub size: usize,
    /// Messages to each receiver a second, as a server sends them, with the CPU idle between; 0: as many as can be.
    #[arg(long, default_value_t = 0.0)]
    pub rhythm: f64,
    /// Process whose CPU cores to measure on.
    #[arg(long)]
    pub like_pid: Option<u32>,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}

/// Nanoseconds of CPU for each packet, in messages of so many packets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// Packets in a message.
    pub burst: usize,
    /// Over loopback to sockets that take bursts whole (`UDP_GRO`).
    pub loopback: f64,
    /// Over loopback to sockets that take packets one by one.
    pub loopback_without_gro: f64,
    /// To an interface that drops what it is given; none where such an interface can't be made.
    pub dropped: Option<f64>,
}

/// The floor of a machine.
#[derive(Debug, Clone, Serialize)]
pub struct Floor {
    /// Nanoseconds to seal a packet, without sending it.
    pub seal: f64,
    /// With sending.
    pub costs: Vec<Cost>,
}

impl Floor {
    /// The cost over loopback at a burst size between those measured, to receivers that take bursts whole or don't (`joined`).
    /// The cost of a message is shared by its packets, so the cost of a packet is a straight line over the inverse of the size.
    pub fn at(&self, burst: f64, joined: bool) -> Option<f64> {
        let of = |cost: &Cost| {
            if joined {
                cost.loopback
            } else {
                cost.loopback_without_gro
            }
        };
        let inverse = 1.0 / burst.max(1.0);
        let below = self
            .costs
            .iter()
            .filter(|cost| cost.burst as f64 <= burst)
            .max_by_key(|cost| cost.burst)?;
        let Some(above) = self
            .costs
            .iter()
            .filter(|cost| cost.burst as f64 > burst)
            .min_by_key(|cost| cost.burst)
        else {
            return Some(of(below));
        };
        let (from, to) = (1.0 / below.burst as f64, 1.0 / above.burst as f64);
        let share = (from - inverse) / (from - to);
        Some(of(below) + share * (of(above) - of(below)))
    }
}

/// Why there is no floor.
#[derive(Debug, thiserror::Error)]
pub enum FloorError {
    /// Options that make no sense.
    #[error("{0}")]
    Options(&'static str),
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
}

/// Runs `spillway-loadtest floor`.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let floor = measure(options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&floor)?);
        return Ok(());
    }
    println!(
        "Nanoseconds of CPU for a packet of {} bytes, to {} receivers",
        options.size, options.viewers
    );
    println!("  sealed, not sent          {:6.0}", floor.seal);
    println!("  in a message   loopback   loopback without UDP_GRO   dropped");
    for cost in &floor.costs {
        let dropped = cost
            .dropped
            .map_or_else(|| "-".to_owned(), |cost| format!("{cost:.0}"));
        println!(
            "  {:>12}   {:>8.0}   {:>24.0}   {dropped:>7}",
            cost.burst, cost.loopback, cost.loopback_without_gro
        );
    }
    if floor.costs.iter().all(|cost| cost.dropped.is_none()) {
        eprintln!(
            "No figures for an interface that drops: that takes root, the command `ip`, and a kernel with dummy or TUN interfaces."
        );
    }
    Ok(())
}

/// Measures, on a thread that may run where the process of `--like-pid` does.
pub fn measure(options: &Options) -> Result<Floor, FloorError> {
    if options.viewers == 0 || options.viewers > 20_000 {
        return Err(FloorError::Options("--viewers must be from 1 to 20000"));
    }
    if !(200..=1_472).contains(&options.size) {
        return Err(FloorError::Options("--size must be from 200 to 1472 bytes"));
    }
    if options.bursts.is_empty()
        || options
            .bursts
            .iter()
            .any(|b| !(1..=MOST_SEGMENTS).contains(b))
    {
        return Err(FloorError::Options("--bursts must be from 1 to 64 packets"));
    }
    if !(0.0..=1_000.0).contains(&options.rhythm) {
        return Err(FloorError::Options(
            "--rhythm must be from 0 to 1000 a second",
        ));
    }
    let bursts = {
        let most = 65_000 / options.size;
        let mut bursts: Vec<usize> = options.bursts.iter().map(|b| (*b).min(most)).collect();
        bursts.sort_unstable();
        bursts.dedup();
        bursts
    };
    let cores = options.like_pid.map(cores_of).transpose()?;
    // Receivers stay where this process may run: beside the sender if that is on a core of its own.
    let elsewhere = cores_of(0)?;
    let options = options.clone();
    let measuring = thread::spawn(move || {
        if let Some(cores) = cores {
            run_on(&cores)?;
        }
        measure_here(&options, &bursts, &elsewhere)
    });
    measuring
        .join()
        .unwrap_or(Err(FloorError::Options("the measuring thread panicked")))
}

fn cores_of(pid: u32) -> Result<CpuSet, FloorError> {
    sched_getaffinity(Pid::from_raw(pid as i32))
        .map_err(|e| FloorError::System("can't see the cores of that process", e.into()))
}

fn run_on(cores: &CpuSet) -> Result<(), FloorError> {
    sched_setaffinity(Pid::from_raw(0), cores)
        .map_err(|e| FloorError::System("can't run on these cores", e.into()))
}

fn measure_here(
    options: &Options,
    bursts: &[usize],
    elsewhere: &CpuSet,
) -> Result<Floor, FloorError> {
    let system = |what| move |error| FloorError::System(what, error);
    let loopback = |joined| -> Result<Vec<f64>, FloorError> {
        let sink =
            Sink::new(options.viewers, joined, *elsewhere).map_err(system("can't receive"))?;
        let mut sender = Sender::new(Ipv4Addr::LOCALHOST, sink.addresses(), options)
            .map_err(system("can't send"))?;
        let result = bursts
            .iter()
            .map(|burst| least(|| sender.round(*burst, |sent| sink.wait_for(sent))))
            .collect::<io::Result<_>>();
        result.map_err(system("can't send"))
    };
    let with_gro = loopback(true)?;
    let without_gro = loopback(false)?;
    let dropped = dropped(options, bursts);
    let mut sender =
        Sender::new(Ipv4Addr::LOCALHOST, &[], options).map_err(system("can't send"))?;
    let seal = least(|| sender.seal_only()).map_err(system("can't seal"))?;
    let costs = bursts.iter().enumerate().map(|(i, burst)| Cost {
        burst: *burst,
        loopback: with_gro[i],
        loopback_without_gro: without_gro[i],
        dropped: dropped.as_ref().map(|costs| costs[i]),
    });
    Ok(Floor {
        seal,
        costs: costs.collect(),
    })
}

/// In a network namespace of its own, which ends with the thread.
fn dropped(options: &Options, bursts: &[usize]) -> Option<Vec<f64>> {
    let (options, bursts) = (options.clone(), bursts.to_vec());
    let measuring = thread::spawn(move || -> io::Result<Vec<f64>> {
        interface::enter_namespace_that_drops(NOWHERE)?;
        let addresses: Vec<SocketAddrV4> = (0..options.viewers as u32)
            .map(|i| SocketAddrV4::new(Ipv4Addr::from(u32::from(NOWHERE) + 1 + i), 9))
            .collect();
        let mut sender = Sender::new(Ipv4Addr::UNSPECIFIED, &addresses, &options)?;
        bursts
            .iter()
            .map(|burst| least(|| sender.round(*burst, |_| ())))
            .collect()
    });
    measuring.join().ok()?.ok()
}

fn least(mut round: impl FnMut() -> io::Result<f64>) -> io::Result<f64> {
    (0..ROUNDS).try_fold(f64::MAX, |least, _| Ok(least.min(round()?)))
}

/// CPU time of this thread.
fn cpu() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(Duration::ZERO, Duration::from)
}

/// Where the receivers of loopback live.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn between_two_sizes_the_cost_of_a_message_is_shared() {
        let cost = |burst, loopback| Cost {
            burst,
            loopback,
            loopback_without_gro: loopback * 2.0,
            dropped: None,
        };
        // 2,000 for the message and 100 for each packet.
        let floor = Floor {
            seal: 0.0,
            costs: vec![cost(1, 2_100.0), cost(4, 600.0), cost(8, 350.0)],
        };
        for (burst, expected) in [(1.0, 2_100.0), (2.0, 1_100.0), (5.0, 500.0), (12.0, 350.0)] {
            let at = floor.at(burst, true).unwrap();
            assert!((at - expected).abs() < 1.0, "{burst}: {at}");
            let at = floor.at(burst, false).unwrap();
            assert!((at - 2.0 * expected).abs() < 2.0, "{burst}: {at}");
        }
    }

    #[test]
    fn larger_bursts_cost_less_and_sealing_alone_least() {
        let floor = measure(&Options {
            viewers: 8,
            rhythm: 0.0,
            bursts: vec![1, 8],
            size: 1_200,
            like_pid: Some(std::process::id()),
            json: false,
        })
        .unwrap();
        let [one, eight] = floor.costs[..] else {
            panic!("{floor:?}");
        };
        assert!(floor.seal > 0.0 && floor.seal < eight.loopback, "{floor:?}");
        assert!(eight.loopback < one.loopback, "{floor:?}");
    }
}
