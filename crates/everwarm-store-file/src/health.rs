//! What the store says of itself: what it holds, within which bounds, and whether its place has room.

use everwarm_core::health::{Report, Room};
use everwarm_core::store::{Answer, Failure, Health};
use rustix::fs::{fstat, fstatvfs};

use crate::error::failed;
use crate::eviction::held;
use crate::store::FileStore;

/// Less than this is no room for a file.
const LEAST: u64 = 64 << 10;

impl FileStore {
    fn look_over(&self, is_full: bool) -> Result<Report, Failure> {
        let held = held(&self.root);
        let look = |errno| failed("look at its directory", errno);
        let system = fstatvfs(&self.root).map_err(look)?;
        let room = Room {
            used: held.bytes,
            most: self.config.max_bytes,
            free: system.f_bavail.saturating_mul(system.f_frsize),
            least: LEAST,
            mode: fstat(&self.root).map_err(look)?.st_mode & 0o777,
        };
        let mut facts = room.facts().to_vec();
        facts.extend([
            ("entries", held.entries.into()),
            ("max_entries", self.config.max_entries.into()),
            ("durability", self.config.durability.name().into()),
        ]);
        Ok(Report {
            facts,
            remarks: room.remarks(is_full),
        })
    }
}

impl Health for FileStore {
    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        self.at_once(|_| self.look_over(is_full))
    }
}
