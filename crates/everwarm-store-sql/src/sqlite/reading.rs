//! What is read: statements that see the file as it is at one moment. Who reads waits for nobody.

use everwarm_core::clock::Clock;
use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{Bytes, Found};
use rusqlite::{CachedStatement, OptionalExtension, Params, Row};

use super::clock::{self, left};
use super::error::Step;
use super::pool::Kept;
use super::schema::Sql;

/// The statements of a step, on one connection.
#[derive(Clone, Copy)]
pub(crate) struct View<'c> {
    pub(crate) kept: &'c Kept,
    pub(crate) sql: &'c Sql,
    /// When it began, at the latest.
    pub(crate) now: i64,
    /// Tells when something was read that others may have written since; `None` where they cannot.
    pub(crate) clock: Option<&'c dyn Clock>,
}

/// A marker as it lies there.
pub(crate) struct Marker {
    pub(crate) mark: Mark,
    pub(crate) until: i64,
    /// Until when its tag is suspended, and by how many.
    pub(crate) suspended: Option<(i64, i64)>,
}

impl Marker {
    /// Whether its tag was suspended, and nobody gave it a number since.
    pub(crate) fn is_over(&self, now: i64) -> bool {
        self.suspended.is_some_and(|(until, _)| until <= now)
    }

    /// What it reads as beside this reading of its shard: a suspended tag's is later than all stamps.
    fn as_of(&self, shard: Mark, now: i64) -> Option<Mark> {
        match self.suspended {
            None => Some(self.mark),
            Some((until, _)) => (until > now).then_some(Mark {
                number: shard.number + 1,
                ..shard
            }),
        }
    }
}

impl<'c> View<'c> {
    pub(crate) fn prepared(&self, text: &'static str) -> Step<CachedStatement<'c>> {
        self.kept.prepared(self.sql, text)
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) fn run(&self, text: &'static str, values: impl Params) -> Step<usize> {
        Ok(self.prepared(text)?.execute(values)?)
    }

    /// The first row of what a statement gives.
    pub(crate) fn row<T>(
        &self,
        text: &'static str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Step<Option<T>> {
        Ok(self.prepared(text)?.query_row(values, read).optional()?)
    }

    /// Does `work` at one moment of the file.
    pub(crate) fn at_once<T>(&self, work: impl FnOnce(&Self) -> Step<T>) -> Step<T> {
        self.run("BEGIN", [])?;
        let done = work(self);
        let ended = self.run(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }, []);
        let done = done?;
        ended?;
        Ok(done)
    }

    /// What is under a name.
    pub(crate) fn found(&self, name: &str) -> Step<Option<Found>> {
        let found = self.row(
            "SELECT since, until, version, bytes FROM %entries% WHERE name = ?1",
            [name.as_bytes()],
            |row| {
                let (since, until): (i64, i64) = (row.get(0)?, row.get(1)?);
                // Read after the row: else what was written in between would be of the future.
                let now = self.clock.map_or(self.now, clock::now);
                if now < since || now >= until {
                    return Ok(None);
                }
                Ok(Some(Found {
                    bytes: Bytes::copy_from_slice(row.get_ref(3)?.as_blob()?),
                    version: row.get::<_, i64>(2)? as u64,
                    remaining: left(now, until),
                }))
            },
        )?;
        Ok(found.flatten())
    }

    /// The version and the end of what is under a name.
    pub(crate) fn live(&self, name: &str) -> Step<Option<(u64, i64)>> {
        self.row(
            "SELECT version, until FROM %entries% WHERE name = ?1 AND since <= ?2 AND until > ?2",
            (name.as_bytes(), self.now),
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)),
        )
    }

    /// The reading of a shard, if it is there.
    pub(crate) fn shard(&self, space: &str) -> Step<Option<Mark>> {
        self.row(
            "SELECT epoch, number FROM %shards% WHERE space = ?1",
            [space.as_bytes()],
            |row| mark(row, 0),
        )
    }

    /// The marker of a tag, if it is there.
    pub(crate) fn marker(&self, space: &str, tag: &Tag) -> Step<Option<Marker>> {
        self.row(
            "SELECT epoch, number, until, suspended_until, suspended_by FROM %markers% WHERE space = ?1 AND tag = ?2",
            (space.as_bytes(), tag.0),
            |row| {
                let until: Option<i64> = row.get(3)?;
                let by = row.get(4)?;
                Ok(Marker {
                    mark: mark(row, 0)?,
                    until: row.get(2)?,
                    suspended: until.map(|until| (until, by)),
                })
            },
        )
    }

    /// The readings as they are; whether each tag has a marker of the shard's epoch that lasts until then.
    pub(crate) fn reading(&self, space: &str, tags: &[Tag], needed: i64) -> Step<(Reading, bool)> {
        let shard = self.shard(space)?;
        let mut is_complete = shard.is_some();
        let mut markers = Vec::with_capacity(tags.len());
        for tag in tags {
            let marker = match shard {
                Some(shard) => self
                    .marker(space, tag)?
                    // One of another epoch is that of a shard which was lost.
                    .filter(|marker| marker.mark.epoch == shard.epoch)
                    .map(|marker| (marker.until, marker.as_of(shard, self.now))),
                None => None,
            };
            is_complete &= matches!(marker, Some((until, Some(_))) if until >= needed);
            markers.push(marker.and_then(|(_, marker)| marker));
        }
        let reading = Reading {
            shards: shard.into_iter().collect(),
            markers,
        };
        Ok((reading, is_complete))
    }
}

fn mark(row: &Row<'_>, at: usize) -> rusqlite::Result<Mark> {
    Ok(Mark {
        shard: 0,
        epoch: row.get::<_, i64>(at)? as u64,
        number: row.get::<_, i64>(at + 1)? as u64,
    })
}
