//! How often one address may ask for something that costs us work.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use spillway_connections::Customer;

use crate::config::RequestRate;

/// The longest `Retry-After`, for rates near zero.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// A token bucket for each address, in a table of bounded size.
pub(crate) struct RateLimiter {
    rate: RequestRate,
    table: Mutex<Table>,
}

/// Two generations: a bucket that's used moves to the young one; when that's full it becomes the old one, and the old one
/// is forgotten. So eviction costs nothing per request, and the least recently seen go first.
#[derive(Default)]
struct Table {
    young: HashMap<Customer, Bucket>,
    old: HashMap<Customer, Bucket>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl RateLimiter {
    pub(crate) fn new(rate: RequestRate) -> Self {
        Self {
            rate,
            table: Mutex::default(),
        }
    }

    /// Takes one request from the address's bucket, or says how long to wait for the next.
    pub(crate) fn take(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        let customer = Customer::of(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bucket = table.remove(customer).unwrap_or(Bucket {
            tokens: f64::from(self.rate.burst),
            at: now,
        });
        let verdict = self.draw(&mut bucket, now);
        table.insert(customer, bucket, self.rate.addresses);
        verdict
    }

    fn draw(&self, bucket: &mut Bucket, now: Instant) -> Result<(), Duration> {
        let earned = now.saturating_duration_since(bucket.at).as_secs_f64() * self.rate.per_second;
        bucket.tokens = (bucket.tokens + earned).min(f64::from(self.rate.burst));
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - bucket.tokens) / self.rate.per_second;
        Err(Duration::try_from_secs_f64(wait).map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT)))
    }
}

impl Table {
    fn remove(&mut self, customer: Customer) -> Option<Bucket> {
        self.young
            .remove(&customer)
            .or_else(|| self.old.remove(&customer))
    }

    fn insert(&mut self, customer: Customer, bucket: Bucket, capacity: usize) {
        if self.young.len() >= (capacity / 2).max(1) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(customer, bucket);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn limiter(burst: u32, per_second: f64, addresses: usize) -> RateLimiter {
        RateLimiter::new(RequestRate {
            burst,
            per_second,
            addresses,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let limiter = limiter(2, 4.0, 100);
        let start = Instant::now();
        let client = ip("192.0.2.1");
        assert!(limiter.take(start, client).is_ok());
        assert!(limiter.take(start, client).is_ok());
        assert_eq!(limiter.take(start, client), Err(Duration::from_millis(250)));
        assert!(
            limiter
                .take(start + Duration::from_millis(250), client)
                .is_ok()
        );
        assert!(limiter.take(start, ip("192.0.2.2")).is_ok());
        let later = start + Duration::from_secs(100);
        assert!(limiter.take(later, client).is_ok());
        assert!(limiter.take(later, client).is_ok());
        assert!(
            limiter.take(later, client).is_err(),
            "no more than the burst is saved up"
        );
    }

    #[test]
    fn an_ipv6_customer_is_a_64() {
        let limiter = limiter(1, 1.0, 100);
        let now = Instant::now();
        assert!(limiter.take(now, ip("2001:db8::1")).is_ok());
        assert!(limiter.take(now, ip("2001:db8::2")).is_err());
        assert!(limiter.take(now, ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        let limiter = limiter(1, 1.0, 100);
        let now = Instant::now();
        assert!(limiter.take(now, ip("::ffff:192.0.2.1")).is_ok());
        assert!(limiter.take(now, ip("192.0.2.1")).is_err());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_least_recently_seen() {
        let limiter = limiter(1, 0.001, 8);
        let now = Instant::now();
        let regular = ip("192.0.2.1");
        assert!(limiter.take(now, regular).is_ok());
        for n in 0..1000_u32 {
            let _ = limiter.take(now, IpAddr::from(n.to_be_bytes()));
            assert!(
                limiter.take(now, regular).is_err(),
                "seen a moment ago, so remembered"
            );
        }
        let table = limiter.table.lock().unwrap();
        assert!(table.young.len() + table.old.len() <= 8);
    }

    #[test]
    fn a_rate_of_zero_waits_for_the_longest() {
        let limiter = limiter(0, 0.0, 8);
        assert_eq!(limiter.take(Instant::now(), ip("192.0.2.1")), Err(MAX_WAIT));
    }
}
