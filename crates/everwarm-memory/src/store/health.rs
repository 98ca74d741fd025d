//! What the store says of itself: what it holds, and within which bounds.

use everwarm_core::health::Report;
use everwarm_core::store::{Answer, Health};

use super::{MemoryStore, Place};

impl Health for MemoryStore {
    fn report(&self, _is_full: bool) -> Answer<'_, Report> {
        self.at_once(|place| Ok(place.report()))
    }
}

impl Place {
    fn report(&self) -> Report {
        let (table, bounds) = (&self.table, self.bounds);
        let mut facts = vec![
            ("entries", (table.len() as u64).into()),
            ("max_entries", (bounds.max_entries.get() as u64).into()),
        ];
        if let Some(most) = bounds.max_bytes {
            facts.push(("used_bytes", table.weight().into()));
            facts.push(("max_bytes", most.get().into()));
        }
        Report {
            facts,
            remarks: Vec::new(),
        }
    }
}
