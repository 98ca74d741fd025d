//! What the driver says of the servers: whether one of them takes writes, or none can be reached.
//!
//! The driver waits for a server until its limit ends, every time. While it is known that there is none, one question at a time waits
//! so; the others are refused at once.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use mongodb::event::sdam::{SdamEvent, TopologyDescription};
use mongodb::{ServerType, TopologyType};

/// How often somebody looks again.
const AGAIN: Duration = Duration::from_millis(500);

/// What is known of the servers.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When somebody looked for one last, while none can be reached.
    down: Mutex<Option<Instant>>,
}

impl Watch {
    /// Takes what the driver tells.
    pub(crate) fn hear(&self, event: &SdamEvent) {
        let SdamEvent::TopologyDescriptionChanged(changed) = event else {
            return;
        };
        let mut down = self.lock();
        match (is_down(&changed.new_description), *down) {
            (true, None) => *down = Some(Instant::now()),
            (false, Some(_)) => *down = None,
            _ => {}
        }
    }

    /// Whether it is worth asking.
    pub(crate) fn may_ask(&self) -> bool {
        let mut down = self.lock();
        match *down {
            None => true,
            Some(last) if last.elapsed() < AGAIN => false,
            Some(_) => {
                *down = Some(Instant::now());
                true
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.down
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
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
