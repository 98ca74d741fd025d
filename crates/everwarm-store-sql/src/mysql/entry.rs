//! Names, values and spans, as the database is given them and gives them back.

use std::collections::HashMap;
use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{Bytes, Failure, FailureKind, Found};
use mysql_async::Row;

use super::script::{cell, octets};
use crate::server::failure::unexpected;

/// Bytes of a name: what an index of the database takes, with room to spare.
pub(crate) const LONGEST_NAME: usize = 1024;
/// The longest span that microseconds in 64 bits can say, with room to spare: 200,000 years.
const LONGEST: Duration = Duration::from_secs(200_000 * 365 * 86_400);

/// A name, as it is stored.
///
/// # Errors
/// `Capacity` for one that is too long.
pub(crate) fn named(name: &str) -> Result<&[u8], Failure> {
    if name.len() <= LONGEST_NAME {
        return Ok(name.as_bytes());
    }
    Err(Failure::new(
        FailureKind::Capacity,
        format!("a name of {} bytes is too long for the store", name.len()),
        format!("use names of {LONGEST_NAME} bytes at most"),
    ))
}

/// A span in microseconds; what is shorter than one is none at all.
pub(crate) fn micros(span: Option<Duration>) -> Option<i64> {
    span.map(|span| span.min(LONGEST).as_micros() as i64)
}

/// What a name begins with, and what no name that begins so reaches: names are UTF-8, which has no byte 0xff.
pub(crate) fn range(prefix: &str) -> (&[u8], Vec<u8>) {
    let mut end = prefix.as_bytes().to_vec();
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(u8::MAX),
    }
    (prefix.as_bytes(), end)
}

fn left(left: Option<i64>) -> Option<Duration> {
    left.map(|left| Duration::from_micros(u64::try_from(left).unwrap_or(0)))
}

/// Entries of names in their order, as rows of name, bytes, version, and microseconds that are left.
///
/// # Errors
/// `Corruption` for rows of another form.
pub(crate) fn placed(rows: Vec<Row>, names: &[&str]) -> Result<Vec<Option<Found>>, Failure> {
    let read = |mut row: Row| {
        let found = Found {
            remaining: left(cell(&row, 3)?),
            version: cell::<i64>(&row, 2)? as u64,
            bytes: Bytes::from(octets(&mut row, 1)?),
        };
        Some((octets(&mut row, 0)?, found))
    };
    gathered(rows.into_iter().map(read), names)
}

fn gathered(
    rows: impl Iterator<Item = Option<(Vec<u8>, Found)>>,
    names: &[&str],
) -> Result<Vec<Option<Found>>, Failure> {
    let all: Option<HashMap<Vec<u8>, Found>> = rows.collect();
    let all = all.ok_or_else(|| unexpected("a read"))?;
    // A name may stand there twice.
    Ok(names
        .iter()
        .map(|name| all.get(name.as_bytes()).cloned())
        .collect())
}

/// The tags as the database knows them, each once and in their order.
pub(crate) fn sorted<'a>(tags: impl Iterator<Item = &'a Tag>) -> Vec<&'a [u8]> {
    let mut all: Vec<&[u8]> = tags.map(|tag| &tag.0[..]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What a `Read` says: the reading, whether nothing is to be made for it, and entries in the order of their names.
pub(crate) struct Looked {
    pub(crate) reading: Reading,
    pub(crate) is_complete: bool,
    pub(crate) found: Vec<Option<Found>>,
}

impl Looked {
    /// What these rows say.
    ///
    /// # Errors
    /// `Corruption` for rows of another form.
    pub(crate) fn of(rows: Vec<Row>, tags: &[Tag], names: &[&str]) -> Result<Self, Failure> {
        let (mut at, mut markers, mut entries) = (None, HashMap::new(), Vec::new());
        for mut row in rows {
            let read = if cell::<i64>(&row, 0) == Some(1) {
                entry(&mut row).map(|entry| entries.push(Some(entry)))
            } else {
                at = mark(&row, 1);
                at.map(|_| {
                    if let Some(tag) = octets(&mut row, 3) {
                        let is_kept = cell::<Option<i64>>(&row, 6).flatten() == Some(1);
                        markers.insert(tag, (mark(&row, 4), is_kept));
                    }
                })
            };
            read.ok_or_else(|| unexpected("a reading"))?;
        }
        let each = tags.iter().map(|tag| markers.get(&tag.0[..]));
        Ok(Self {
            is_complete: at.is_some()
                && each
                    .clone()
                    .all(|marker| marker.is_some_and(|(_, is_kept)| *is_kept)),
            reading: Reading {
                shards: at.into_iter().collect(),
                markers: each
                    .map(|marker| marker.and_then(|(mark, _)| *mark))
                    .collect(),
            },
            found: gathered(entries.into_iter(), names)?,
        })
    }
}

fn entry(row: &mut Row) -> Option<(Vec<u8>, Found)> {
    let found = Found {
        version: cell::<i64>(row, 1)? as u64,
        remaining: left(cell(row, 2)?),
        bytes: Bytes::from(octets(row, 7)?),
    };
    Some((octets(row, 3)?, found))
}

fn mark(row: &Row, from: usize) -> Option<Mark> {
    Some(Mark {
        shard: 0,
        epoch: cell::<Option<i64>>(row, from)?? as u64,
        number: cell::<Option<i64>>(row, from + 1)?? as u64,
    })
}
