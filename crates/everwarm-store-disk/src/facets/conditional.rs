//! Writes that depend on what is there.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional};

use crate::store::Disk;

impl Conditional for Disk {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        let set = self.put_if((name, &bytes, ttl), true, |writing| {
            let holds = match condition {
                Condition::Absent => writing.entry_slot(name)?.is_none(),
                Condition::Present => writing.entry_slot(name)?.is_some(),
                Condition::Version(version) => writing.version(name)? == Some(version),
            };
            Ok(if holds { Ok(()) } else { Err(()) })
        });
        Answer::Now(set.map(Result::ok))
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        let deleted = self.check(name, 0).and_then(|()| {
            self.write(|writing| {
                let holds = writing.version(name)? == Some(version);
                if holds {
                    writing.take(name)?;
                    writing.commit()?;
                }
                Ok(holds)
            })
        });
        Answer::Now(deleted)
    }
}
