//! Numbers for invalidations: a namespace is a shard, which is a row. Who writes has the file for itself, so a step is its parts one after
//! the other.

use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Found, Generations, Settled};
use everwarm_network::chance;
use rusqlite::params;

use crate::sqlite::Sqlite;
use crate::sqlite::clock::{NEVER, end};
use crate::sqlite::error::Step;
use crate::sqlite::reading::Marker;
use crate::sqlite::writing::Writing;

/// What an invalidation is besides.
#[derive(Clone, Copy)]
pub(super) enum Besides {
    /// No more than that: who suspended the tag goes on.
    Nothing,
    /// It suspends the tag for so long.
    Suspends(Duration),
    /// It ends what one has suspended.
    Resumes,
}

impl Sqlite {
    /// Invalidates tags, and tells of it.
    pub(super) fn strike<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        besides: Besides,
    ) -> Answer<'a, Reading> {
        if let Err(failure) = self.check(namespace, 0) {
            return Answer::failed(failure);
        }
        self.write(move |writing| {
            let shard = writing.advance(namespace)?;
            for tag in tags {
                let old = writing.marker(namespace, tag)?;
                let struck = struck(old, shard, writing.now, besides);
                writing.put_marker(namespace, tag, &struck)?;
            }
            let (reading, _) = writing.reading(namespace, tags, 0)?;
            for (tag, marker) in tags.iter().zip(&reading.markers) {
                writing.tell_tag(namespace, tag, marker.unwrap_or(shard))?;
            }
            Ok(reading)
        })
    }
}

/// The marker that an invalidation leaves.
fn struck(old: Option<Marker>, shard: Mark, now: i64, besides: Besides) -> Marker {
    // One that nobody named before need not be kept: no entry carries it.
    let until = old.as_ref().map_or(now, |old| old.until.max(now));
    let before = old.and_then(|old| old.suspended);
    let there = before.filter(|(until, _)| *until > now);
    let suspended = match besides {
        Besides::Nothing => there,
        Besides::Suspends(span) => {
            let (longest, by) = there.unwrap_or((0, 0));
            Some((end(now, Some(span)).max(longest), by + 1))
        }
        Besides::Resumes => there.and_then(|(until, by)| (by > 1).then_some((until, by - 1))),
    };
    Marker {
        mark: shard,
        until,
        suspended,
    }
}

impl Generations for Sqlite {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        if let Err(failure) = self.check(namespace, 0) {
            return Answer::failed(failure);
        }
        let read = self.read_at_once(|view| view.reading(namespace, tags, end(view.now, keep)));
        match read {
            Ok((reading, true)) => Answer::done(reading),
            Ok(_) => self.write(move |writing| writing.hold(namespace, tags, keep)),
            Err(failure) => Answer::failed(failure),
        }
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        let read = self.read_at_once(|view| view.reading(namespace, tags, 0));
        Answer::Now(read.map(|(reading, _)| reading))
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        let read = self.read_at_once(|view| {
            let found = view.found(name)?;
            Ok((found, view.reading(namespace, tags, 0)?.0))
        });
        Answer::Now(read)
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        let read = self.read_at_once(|view| {
            let found: Step<Vec<_>> = names.iter().map(|name| view.found(name)).collect();
            Ok((found?, view.reading(namespace, tags, 0)?.0))
        });
        Answer::Now(read)
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.strike(namespace, tags, Besides::Nothing)
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        if let Err(failure) = self.check(computed.name, computed.bytes.len() as u64) {
            return Answer::failed(failure);
        }
        self.write(move |writing| writing.settle(&computed))
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        let checked = computed
            .iter()
            .try_for_each(|one| self.check(one.name, one.bytes.len() as u64));
        if let Err(failure) = checked {
            return Answer::failed(failure);
        }
        self.write_each(
            computed,
            |one| one.bytes.len(),
            |writing, one| writing.settle(one),
        )
    }
}

impl Writing<'_> {
    fn settle(&self, computed: &Computed<'_>) -> Step<Settled> {
        if let Some(token) = computed.token
            && !self.holds(computed.name, token)?
        {
            return Ok(Settled::Lost);
        }
        let reading = self.hold(computed.namespace, computed.tags, computed.ttl)?;
        if !valid(computed.stamps, reading.markers) {
            return Ok(Settled::Overtaken);
        }
        self.put(computed.name, &computed.bytes, end(self.now, computed.ttl))?;
        Ok(Settled::Stored)
    }

    /// The reading after every tag has a marker that lasts for `keep`: one that was not there is the shard's reading now.
    fn hold(&self, space: &str, tags: &[Tag], keep: Option<Duration>) -> Step<Reading> {
        let needed = end(self.now, keep);
        let mut shard = match self.shard(space)? {
            Some(shard) => shard,
            None => self.make_shard(space)?,
        };
        // Longer than asked for, so that it is seldom written again.
        let lasting = keep.map(|keep| keep.saturating_mul(2) + Duration::from_secs(60));
        let lasting = end(self.now, lasting);
        for tag in tags {
            let mut marker = match self.marker(space, tag)? {
                Some(marker) if marker.mark.epoch == shard.epoch => marker,
                _ => Marker {
                    mark: shard,
                    until: 0,
                    suspended: None,
                },
            };
            let is_over = marker.is_over(self.now);
            if is_over {
                // What began while it lasted stays out.
                shard = self.advance(space)?;
                (marker.mark, marker.suspended) = (shard, None);
            }
            if is_over || marker.until < needed {
                marker.until = marker.until.max(lasting);
                self.put_marker(space, tag, &marker)?;
            }
        }
        Ok(self.reading(space, tags, needed)?.0)
    }

    fn make_shard(&self, space: &str) -> Step<Mark> {
        let epoch = chance::bigint();
        let values = (space.as_bytes(), epoch);
        self.run(
            "INSERT INTO %shards% (space, epoch, number) VALUES (?1, ?2, 0)",
            values,
        )?;
        Ok(Mark {
            shard: 0,
            epoch: epoch as u64,
            number: 0,
        })
    }

    /// The next number of a shard, which is made if it is missing.
    fn advance(&self, space: &str) -> Step<Mark> {
        let mut shard = match self.shard(space)? {
            Some(shard) => shard,
            None => self.make_shard(space)?,
        };
        shard.number += 1;
        self.run(
            "UPDATE %shards% SET number = ?2 WHERE space = ?1",
            (space.as_bytes(), shard.number as i64),
        )?;
        Ok(shard)
    }

    fn put_marker(&self, space: &str, tag: &Tag, marker: &Marker) -> Step<()> {
        let (until, by) = marker.suspended.unzip();
        let values = params![
            space.as_bytes(),
            tag.0,
            marker.mark.epoch as i64,
            marker.mark.number as i64,
            marker.until,
            until,
            by.unwrap_or(0),
        ];
        self.run(
            "INSERT OR REPLACE INTO %markers% (space, tag, epoch, number, until, suspended_until, suspended_by)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            values,
        )?;
        Ok(())
    }

    /// Lets markers go that no entry needs any more.
    pub(crate) fn sweep_markers(&self) -> Step<()> {
        let mut over =
            self.prepared("SELECT DISTINCT space FROM %markers% WHERE suspended_until <= ?1")?;
        let spaces = over.query_map([self.now], |row| row.get::<_, Vec<u8>>(0))?;
        for space in spaces.collect::<rusqlite::Result<Vec<_>>>()? {
            // Who finds no marker is given the shard's number: it has to be later than what began under the suspension.
            self.run(
                "UPDATE %shards% SET number = number + 1 WHERE space = ?1",
                [&space],
            )?;
            self.run(
                "UPDATE %markers% SET suspended_until = NULL, suspended_by = 0,
                    number = coalesce((SELECT s.number FROM %shards% s WHERE s.space = ?1), number)
                WHERE space = ?1 AND suspended_until <= ?2",
                (&space, self.now),
            )?;
        }
        let text =
            "DELETE FROM %markers% WHERE until <= ?1 AND until < ?2 AND suspended_until IS NULL";
        self.run(text, (self.now, NEVER))?;
        Ok(())
    }
}
