//! What the store says of itself: what it holds, within which bounds, and whether its place has room.

use everwarm_core::health::{Remark, Report, Room};
use everwarm_core::store::{Answer, Failure, Health};

use crate::error::refused_at;
use crate::store::Disk;

/// Less than this is no room for what writes add.
const LEAST: u64 = 1 << 20;

impl Disk {
    fn look_over(&self, is_full: bool) -> Result<Report, Failure> {
        let files = self.files()?;
        let usage = self.usage()?;
        let directory = &files.directory;
        let place = directory.place();
        let (free, mode) = place.map_err(|error| refused_at(directory.path(), &error))?;
        let room = Room {
            used: usage.bytes,
            most: files.config.max_bytes,
            free,
            least: LEAST,
            mode,
        };
        let mut remarks = room.remarks(is_full);
        if !files.is_writable {
            remarks.push(Remark::trouble(
                "read_only",
                "its directory can be read alone: nothing is stored in it",
                "give this user the right to write, or name another directory: \"disk:///dir\"",
            ));
        }
        let mut facts = room.facts().to_vec();
        facts.extend([
            ("entries", usage.entries.into()),
            ("max_entries", files.config.max_entries.into()),
            ("durability", files.config.durability.name().into()),
        ]);
        Ok(Report { facts, remarks })
    }
}

impl Health for Disk {
    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::Now(self.look_over(is_full))
    }
}
