//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};

use crate::sqlite::Sqlite;
use crate::sqlite::clock::end;

impl Touch for Sqlite {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.write(move |writing| {
            let text = "UPDATE %entries% SET since = ?2, until = ?3 WHERE name = ?1 AND since <= ?2 AND until > ?2";
            let values = (name.as_bytes(), writing.now, end(writing.now, ttl));
            Ok(writing.run(text, values)? > 0)
        })
    }
}
