//! The right to compute, among the processes of a host: rows beside the entries, which the same step sees. Nobody is told that one ended;
//! who waits asks again.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Grant, Leased, Leases};
use rusqlite::params;

use crate::sqlite::Sqlite;
use crate::sqlite::clock::{end, left};
use crate::sqlite::error::Step;
use crate::sqlite::writing::Writing;

impl Leases for Sqlite {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        if let Err(failure) = self.check(name, 0) {
            return Answer::failed(failure);
        }
        self.write(move |writing| writing.grant(name, token, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.write(move |writing| {
            let is_held = writing.holds(name, token)?;
            if is_held {
                writing.put_lease(name, token, ttl)?;
            }
            Ok(is_held)
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        self.write(move |writing| {
            let is_held = writing.holds(name, token)?;
            if is_held {
                writing.run("DELETE FROM %leases% WHERE name = ?1", [name.as_bytes()])?;
            }
            Ok(is_held)
        })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        if let Err(failure) = self.check(name, bytes.len() as u64) {
            return Answer::failed(failure);
        }
        self.write(move |writing| {
            let is_held = writing.holds(name, token)?;
            if is_held {
                writing.put(name, &bytes, end(writing.now, ttl))?;
            }
            Ok(is_held)
        })
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        let checked = names.iter().try_for_each(|(name, _)| self.check(name, 0));
        if let Err(failure) = checked {
            return Answer::failed(failure);
        }
        self.write_each(
            names,
            |_| 0,
            move |writing, &(name, token)| writing.grant(name, token, ttl),
        )
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        let checked = entries
            .iter()
            .try_for_each(|entry| self.check(entry.name, entry.bytes.len() as u64));
        if let Err(failure) = checked {
            return Answer::failed(failure);
        }
        self.write_each(
            entries,
            |entry| entry.bytes.len(),
            |writing, entry| {
                let is_held = writing.holds(entry.name, entry.token)?;
                if is_held {
                    writing.put(entry.name, &entry.bytes, end(writing.now, entry.ttl))?;
                }
                Ok(is_held)
            },
        )
    }
}

impl Writing<'_> {
    /// Gives a lease, if nobody else has it.
    fn grant(&self, name: &str, token: u64, ttl: Duration) -> Step<Grant> {
        if let Some((holder, until)) = self.lease(name)?
            && holder != token
        {
            return Ok(Grant::Held(left(self.now, until).unwrap_or(Duration::MAX)));
        }
        self.put_lease(name, token, ttl)?;
        Ok(Grant::Granted)
    }

    /// Whether the lease of a name is there and of this token.
    pub(crate) fn holds(&self, name: &str, token: u64) -> Step<bool> {
        Ok(self.lease(name)?.is_some_and(|(holder, _)| holder == token))
    }

    fn lease(&self, name: &str) -> Step<Option<(u64, i64)>> {
        self.row(
            "SELECT token, until FROM %leases% WHERE name = ?1 AND since <= ?2 AND until > ?2",
            (name.as_bytes(), self.now),
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)),
        )
    }

    fn put_lease(&self, name: &str, token: u64, ttl: Duration) -> Step<()> {
        let until = end(self.now, Some(ttl));
        let values = params![name.as_bytes(), token as i64, self.now, until];
        self.run(
            "INSERT OR REPLACE INTO %leases% (name, token, since, until) VALUES (?1, ?2, ?3, ?4)",
            values,
        )?;
        Ok(())
    }
}
