//! Numbers that are changed in one step.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Counters, Failure, FailureKind};

use crate::sqlite::Sqlite;
use crate::sqlite::clock::end;

impl Counters for Sqlite {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        if let Err(failure) = self.check(name, 0) {
            return Answer::failed(failure);
        }
        self.write(move |writing| {
            let (before, until) = match (writing.found(name)?, writing.live(name)?) {
                (Some(found), Some((_, until))) => (number(&found.bytes)?, until),
                _ => (initial, end(writing.now, ttl)),
            };
            let after = before.checked_add(by).ok_or_else(|| {
                Failure::new(
                    FailureKind::Permanent,
                    "a counter would leave 64 bits",
                    "delete it, and begin anew",
                )
            })?;
            writing.put(name, &Bytes::from(after.to_string()), until)?;
            writing.tell_key(name)?;
            Ok(after)
        })
    }
}

/// The number that this is the text of.
fn number(bytes: &[u8]) -> Result<i64, Failure> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Failure::new(
            FailureKind::Permanent,
            "what is counted up is no number",
            "count under a name of its own",
        )
    })
}
