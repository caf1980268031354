//! The conditions of both directions as options, given when the link starts and changed while it runs.

use std::time::Duration;

use clap::{Args, Parser};

use super::model::{BurstLoss, Conditions, QueueLimit};
use crate::units;

/// How long packets are held back unless told.
const REORDER_BY: Duration = Duration::from_millis(10);

/// What the link does to packets. Each option holds for both directions, its twin `--back-…` for the way from B to A
/// alone.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct LinkConditions {
    /// Rate, such as 6mbit.
    #[arg(long, value_parser = units::rate)]
    rate: Option<u64>,
    /// Rate from B to A, if it differs.
    #[arg(long, value_parser = units::rate)]
    back_rate: Option<u64>,
    /// What may wait for the rate, in time or bytes, such as 300ms or 64kB.
    #[arg(long, value_parser = units::queue)]
    queue: Option<QueueLimit>,
    /// Queue from B to A, if it differs.
    #[arg(long, value_parser = units::queue)]
    back_queue: Option<QueueLimit>,
    /// Delay in each direction, such as 20ms.
    #[arg(long, value_parser = units::time)]
    delay: Option<Duration>,
    /// Delay from B to A, if it differs.
    #[arg(long, value_parser = units::time)]
    back_delay: Option<Duration>,
    /// Jitter on top of the delay: evenly spread from 0 to this.
    #[arg(long, value_parser = units::time)]
    jitter: Option<Duration>,
    /// Jitter from B to A, if it differs.
    #[arg(long, value_parser = units::time)]
    back_jitter: Option<Duration>,
    /// Random loss, such as 2%.
    #[arg(long, value_parser = units::share)]
    loss: Option<f64>,
    /// Random loss from B to A, if it differs.
    #[arg(long, value_parser = units::share)]
    back_loss: Option<f64>,
    /// Loss in bursts: share of packets and mean burst, such as 1%:8.
    #[arg(long, value_parser = units::burst_loss)]
    burst_loss: Option<BurstLoss>,
    /// Loss in bursts from B to A, if it differs.
    #[arg(long, value_parser = units::burst_loss)]
    back_burst_loss: Option<BurstLoss>,
    /// Share of packets that are held back, so that others overtake them.
    #[arg(long, value_parser = units::share)]
    reorder: Option<f64>,
    /// Share from B to A, if it differs.
    #[arg(long, value_parser = units::share)]
    back_reorder: Option<f64>,
    /// How long packets are held back; 10ms unless told.
    #[arg(long, value_parser = units::time)]
    reorder_by: Option<Duration>,
    /// How long from B to A, if it differs.
    #[arg(long, value_parser = units::time)]
    back_reorder_by: Option<Duration>,
    /// Share of packets that arrive twice.
    #[arg(long, value_parser = units::share)]
    duplicate: Option<f64>,
    /// Share from B to A, if it differs.
    #[arg(long, value_parser = units::share)]
    back_duplicate: Option<f64>,
}

/// A line that changes the conditions: options as they stand on the command line.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Change {
    #[command(flatten)]
    conditions: LinkConditions,
}

impl LinkConditions {
    /// From A to B.
    pub fn forward(&self) -> Conditions {
        Conditions {
            rate: self.rate,
            queue: self.queue,
            delay: self.delay.unwrap_or_default(),
            jitter: self.jitter.unwrap_or_default(),
            loss: self.loss.unwrap_or_default(),
            burst_loss: self.burst_loss,
            reorder: self.reorder.unwrap_or_default(),
            reorder_by: self.reorder_by.unwrap_or(REORDER_BY),
            duplicate: self.duplicate.unwrap_or_default(),
        }
    }

    /// From B to A.
    pub fn backward(&self) -> Conditions {
        let forward = self.forward();
        Conditions {
            rate: self.back_rate.or(forward.rate),
            queue: self.back_queue.or(forward.queue),
            delay: self.back_delay.unwrap_or(forward.delay),
            jitter: self.back_jitter.unwrap_or(forward.jitter),
            loss: self.back_loss.unwrap_or(forward.loss),
            burst_loss: self.back_burst_loss.or(forward.burst_loss),
            reorder: self.back_reorder.unwrap_or(forward.reorder),
            reorder_by: self.back_reorder_by.unwrap_or(forward.reorder_by),
            duplicate: self.back_duplicate.unwrap_or(forward.duplicate),
        }
    }

    /// Takes a line of options, such as `--rate 800kbit --loss 2%`; what it doesn't name stays.
    pub fn change(&mut self, line: &str) -> Result<(), clap::Error> {
        let mut change = Change {
            conditions: self.clone(),
        };
        change.try_update_from(line.split_whitespace())?;
        *self = change.conditions;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn conditions(line: &str) -> LinkConditions {
        let mut conditions = LinkConditions::default();
        conditions.change(line).unwrap();
        conditions
    }

    #[test]
    fn without_options_the_link_is_perfect_in_both_directions() {
        let none = LinkConditions::default();
        let perfect = Conditions {
            reorder_by: REORDER_BY,
            ..Conditions::default()
        };
        assert_eq!(none.forward(), perfect);
        assert_eq!(none.backward(), perfect);
    }

    #[test]
    fn options_hold_for_both_directions_and_their_twins_for_the_way_back() {
        let both = "--rate 5mbit --queue 300ms --delay 30ms --jitter 10ms --loss 5% --burst-loss 2%:5 \
                    --reorder 1% --reorder-by 20ms --duplicate 3%";
        let same = conditions(both);
        assert_eq!(same.forward(), same.backward());
        let back = "--back-rate 1mbit --back-queue 64kB --back-delay 1ms --back-jitter 2ms --back-loss 20% \
                    --back-burst-loss 1%:9 --back-reorder 4% --back-reorder-by 5ms --back-duplicate 6%";
        let differs = conditions(&format!("{both} {back}"));
        assert_eq!(differs.forward(), same.forward());
        assert_eq!(
            differs.backward(),
            Conditions {
                rate: Some(1_000_000),
                queue: Some(QueueLimit::Bytes(64_000)),
                delay: Duration::from_millis(1),
                jitter: Duration::from_millis(2),
                loss: 0.2,
                burst_loss: Some(BurstLoss {
                    share: 0.01,
                    length: 9.0
                }),
                reorder: 0.04,
                reorder_by: Duration::from_millis(5),
                duplicate: 0.06,
            }
        );
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let mut changed = conditions("--rate 5mbit --queue 300ms --delay 30ms");
        changed.change("--rate 800kbit --back-loss 20%").unwrap();
        assert_eq!(
            changed,
            conditions("--rate 800kbit --queue 300ms --delay 30ms --back-loss 20%")
        );
    }

    #[test]
    fn a_change_that_can_not_be_read_changes_nothing() {
        let before = conditions("--rate 5mbit");
        for line in [
            "--rate",
            "--rate 5",
            "--speed 1mbit",
            "rate=5mbit",
            "--rate 1mbit --loss 200%",
            "--a x",
        ] {
            let mut changed = before.clone();
            assert!(changed.change(line).is_err(), "{line}");
            assert_eq!(changed, before, "{line}");
        }
    }
}
