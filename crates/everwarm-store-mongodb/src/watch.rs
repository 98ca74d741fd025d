//! What the driver says of the servers: whether one of them takes writes, or none can be reached.
//!
//! The driver waits for a server until its limit ends, every time. While it is known that there is none, one question at a time waits
//! so; the others are refused at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mongodb::event::sdam::{SdamEvent, TopologyDescription};
use mongodb::{ServerType, TopologyType};

/// How long after somebody looked in vain somebody looks again.
const AGAIN: Duration = Duration::from_millis(500);

/// What is known of the servers.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Whether no server can be reached, as far as the driver knows.
    is_down: bool,
    /// Whether the last look at one failed: what was asked on a connection that was lost says less.
    has_failed: bool,
    /// When somebody may look again.
    next: Option<Instant>,
}

impl Watch {
    /// Takes what the driver tells.
    pub(crate) fn hear(&self, event: &SdamEvent) {
        let mut known = self.lock();
        match event {
            SdamEvent::TopologyDescriptionChanged(changed) => {
                known.is_down = is_down(&changed.new_description);
            }
            SdamEvent::ServerHeartbeatFailed(_) => known.has_failed = true,
            SdamEvent::ServerHeartbeatSucceeded(_) => known.has_failed = false,
            _ => {}
        }
    }

    /// Whether it is worth asking, which takes up to `patience` while no server can be reached.
    pub(crate) fn may_ask(&self, patience: Duration) -> bool {
        let mut known = self.lock();
        if !known.is_down || !known.has_failed {
            return true;
        }
        let now = Instant::now();
        if known.next.is_some_and(|next| now < next) {
            return false;
        }
        known.next = Some(now + patience + AGAIN);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether no server can be reached. One that was not asked yet has no error, and a replica set without a primary elects one.
fn is_down(topology: &TopologyDescription) -> bool {
    let servers = topology.servers();
    topology.topology_type() != TopologyType::LoadBalanced
        && !servers.is_empty()
        && servers
            .values()
            .all(|server| server.server_type() == ServerType::Unknown && server.error().is_some())
}
