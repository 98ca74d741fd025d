//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};

use crate::index::Slot;
use crate::store::Disk;

impl Touch for Disk {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        let was = self.write(|writing| {
            let Some((at, slot)) = writing.entry_slot(name)? else {
                return Ok(false);
            };
            let deadline = writing.deadline(ttl);
            writing.change_slot(at, &Slot { deadline, ..slot })?;
            Ok(true)
        });
        Answer::Now(was)
    }
}
