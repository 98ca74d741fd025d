//! Writes that depend on what is there.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional};

use crate::sqlite::Sqlite;
use crate::sqlite::clock::end;

impl Conditional for Sqlite {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        if let Err(failure) = self.check(name, bytes.len() as u64) {
            return Answer::failed(failure);
        }
        self.write(move |writing| {
            let there = writing.live(name)?.map(|(version, _)| version);
            let holds = match condition {
                Condition::Absent => there.is_none(),
                Condition::Present => there.is_some(),
                Condition::Version(expected) => there == Some(expected),
            };
            if !holds {
                return Ok(None);
            }
            let version = writing.put(name, &bytes, end(writing.now, ttl))?;
            writing.tell_key(name)?;
            Ok(Some(version))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        self.write(move |writing| {
            let there = writing.live(name)?.map(|(version, _)| version);
            if there != Some(version) {
                return Ok(false);
            }
            writing.tell_key(name)?;
            writing.take(name)
        })
    }
}
