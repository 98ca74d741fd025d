//! Beginning anew: a life of the store ends with all that is in it, and another one begins. It is a cache.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::config::Config;
use crate::directory::Directory;
use crate::error::Step;
use crate::files::{index_name, random};
use crate::head::Head;
use crate::index::{BUCKET, Bucket, Index, not_in_order};
use crate::times::StoreTime;

/// Buckets of the first index of a life.
const FIRST_BUCKETS: u64 = 1024;
/// The file of the head takes its room at once, so that it never lacks it.
const HEAD_ROOM: usize = 4096;
/// The bytes of a page of the system's cache, on most machines.
const PAGE: usize = 4096;

impl Head {
    /// Whether a segment of this number is no part of the log.
    pub(crate) const fn is_gone(&self, number: u64) -> bool {
        number < self.start / self.segment || number > self.end / self.segment
    }
}

/// Begins a life, under the lock: files of another one go. Time goes on from what the head `before` saw.
pub(crate) fn begin(
    directory: &Directory,
    file: &File,
    config: &Config,
    (time, before): (&StoreTime, Option<&Head>),
) -> Step<(Head, Index)> {
    let segment = config.segment();
    // Places are not used twice, so that none of another life is taken for one of this.
    let start = (random() >> 2) / segment * segment + segment;
    let floor = before.map_or(0, |before| before.floor);
    let added = match before {
        Some(before) if before.boot == time.boot() => before.added,
        _ => time.addition_for(floor),
    };
    let life = random();
    let log = (life, segment, start);
    let index = make_index(directory, log, &image(life, FIRST_BUCKETS))?;
    let head = Head {
        // No record lies there.
        told: start - 1,
        life,
        index: index.name,
        buckets: index.buckets,
        segment,
        start,
        end: start,
        last: start,
        boot: time.boot(),
        added,
        floor,
        moving: true,
        ..Head::default()
    };
    let mut bytes = head.bytes().to_vec();
    bytes.resize(HEAD_ROOM, 0);
    file.write_all_at(&bytes, 0)?;
    clean(directory, &head, true);
    Ok((head, index))
}

/// The bytes of an index with nothing in it.
pub(crate) fn image(life: u64, buckets: u64) -> Vec<u8> {
    (0..buckets)
        .flat_map(|number| Bucket::empty(life, number).0)
        .collect()
}

/// Writes an index for a log of this life, with such segments, that begins there; its file has all the room it will ever need.
pub(crate) fn make_index(directory: &Directory, log: (u64, u64, u64), image: &[u8]) -> Step<Index> {
    let name = random();
    let file = directory.create(&index_name(name))?;
    // Page by page: what is written in one go the system keeps in one piece, and then looks at all of it for each slot.
    for (at, page) in (0..).step_by(PAGE).zip(image.chunks(PAGE)) {
        if let Err(error) = file.write_all_at(page, at) {
            directory.remove(&index_name(name));
            return Err(error.into());
        }
    }
    not_in_order(&file);
    let buckets = (image.len() / BUCKET) as u64;
    Ok(Index::new((file, name), buckets, log))
}

/// Takes away the files that are no part of what the head says. Indices are cut first, for those who still
/// read them. Large values go only where a life has just begun; else a sweep finds those that no entry has.
pub(crate) fn clean(directory: &Directory, head: &Head, is_begun: bool) {
    for name in directory.names().unwrap_or_default() {
        let Some((kind, number)) = name.split_once('.') else {
            continue;
        };
        let Ok(number) = u64::from_str_radix(number, 16) else {
            continue;
        };
        let is_gone = match kind {
            "index" => number != head.index,
            "log" => head.is_gone(number),
            "large" => is_begun,
            _ => false,
        };
        if !is_gone {
            continue;
        }
        if kind == "index"
            && let Ok(Some(file)) = directory.there(&name, true)
        {
            let _ = file.set_len(0);
        }
        directory.remove(&name);
    }
}
