//! Suspended tags: until when, and by how many, stands in the place of a marker's end.
//!
//! Such a marker reads as the number after the counter's, which no stamp covers. Once its time is up it reads as none, and who names
//! the tag next gives it a number of its own, of which others are told: so what began before stays out.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Suspend};

use crate::entry::millis;
use crate::store::{Redis, given};

impl Suspend for Redis {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        given(self.strike(namespace, tags, ("suspend", millis(Some(span)))))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        given(self.strike(namespace, tags, ("resume", 0)))
    }
}
