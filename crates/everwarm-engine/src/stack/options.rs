//! How a stack works: its times, its bounds, its clock.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::draw::Draw;

use super::sleep::Sleep;
use crate::ticker::{Chance, Ticker};

/// How a stack works.
#[derive(Clone)]
pub struct Options {
    /// How long a lease lasts if it is not renewed.
    pub lease_ttl: Duration,
    /// How long another process's computation is waited for.
    pub wait_timeout: Duration,
    /// How long a store keeps what has no end.
    pub longest: Duration,
    /// How many writes may be queued.
    pub queue_entries: usize,
    /// How many bytes may be queued.
    pub queue_bytes: u64,
    /// The clock.
    pub ticker: Ticker,
    /// What passes the time.
    pub sleep: Arc<dyn Sleep>,
    /// What spreads over time what many processes would do at once.
    pub draw: Arc<dyn Draw>,
}

impl Options {
    /// The usual times and bounds, on this clock and with this sleep: leases of 5 seconds, waits of 30, entries of 30 days, and a
    /// queue of 10,000 writes and 64 MiB.
    #[must_use]
    pub fn new(ticker: Ticker, sleep: Arc<dyn Sleep>) -> Self {
        Self {
            lease_ttl: Duration::from_secs(5),
            wait_timeout: Duration::from_secs(30),
            longest: Duration::from_secs(30 * 24 * 60 * 60),
            queue_entries: 10_000,
            queue_bytes: 64 << 20,
            ticker,
            sleep,
            draw: Arc::new(Chance::new()),
        }
    }
}
