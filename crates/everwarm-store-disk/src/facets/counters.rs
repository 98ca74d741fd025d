//! Numbers, kept as decimal texts.

use std::time::Duration;

use everwarm_core::store::{Answer, Counters, Failure, FailureKind};

use crate::error::{Step, Trouble};
use crate::put::{Put, Value};
use crate::store::Disk;
use crate::writing::Writing;

impl Counters for Disk {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        let changed = self
            .check(name, 0)
            .and_then(|()| self.write(|writing| incr(writing, name, (by, initial), ttl)));
        Answer::Now(changed)
    }
}

fn incr(
    writing: &mut Writing<'_>,
    name: &str,
    (by, initial): (i64, i64),
    ttl: Option<Duration>,
) -> Step<i64> {
    let (from, deadline) = match writing.entry(name)? {
        Some(entry) => (number_in(&entry.bytes)?, entry.slot.deadline),
        None => (initial, writing.deadline(ttl)),
    };
    let number = from.checked_add(by).ok_or_else(|| {
        refused(
            FailureKind::Capacity,
            "a counter would leave 64 bits",
            "count less, or set it anew",
        )
    })?;
    writing.put(&Put {
        name,
        value: Value::Short(number.to_string().as_bytes()),
        deadline,
        is_told: true,
    })?;
    writing.commit()?;
    Ok(number)
}

fn number_in(bytes: &[u8]) -> Step<i64> {
    let number = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        refused(
            FailureKind::Permanent,
            "what is under the name is no counter",
            "count under a name of its own",
        )
    })
}

fn refused(kind: FailureKind, message: &str, hint: &str) -> Trouble {
    Failure::new(kind, message, hint).into()
}
