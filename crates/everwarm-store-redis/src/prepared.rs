//! Prepared reads: what is asked behind an entry is the same for all entries of a namespace with the same tags, and is written once.
//!
//! On a cluster entries and tags are spread over shards, and nothing is prepared.

use std::sync::Arc;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Failure, Found};
use parking_lot::RwLock;

use crate::entry::found_at;
use crate::error::unexpected;
use crate::keys::{Kind, Layout, Shard, braces, is_in};
use crate::link::Timed;
use crate::lots::MOST;
use crate::markers::{Read, add_keys, markers_in, space_of};
use crate::packed::{Packed, Words};
use crate::request::Request;
use crate::store::{Redis, check};
use crate::value::Value;

/// How many are kept: as many functions of a cache are read in turns without any being written again.
const KEPT: usize = 16;
/// Tags of the most that is kept.
const MOST_TAGS: usize = 8;
/// Bytes of a verb and what stands around it and the first key.
const AROUND: usize = 48;

/// The reads of a namespace's entries with the same tags.
pub(crate) struct Prepared {
    namespace: Box<str>,
    tags: Box<[Tag]>,
    /// Where the entries lie, and their tags.
    pub(crate) shard: Shard,
    /// What the keys of the entries begin with.
    beginning: String,
    /// What is read behind an entry: the shard and the markers.
    behind: Words,
}

impl Prepared {
    fn new(layout: Layout, namespace: &str, tags: &[Tag]) -> Self {
        let shard = layout.shard(&space_of(namespace), 0);
        let mut behind = Words::default();
        add_keys(&shard, tags.iter(), &mut behind);
        Self {
            namespace: namespace.into(),
            tags: tags.into(),
            beginning: Kind::Entry.of(&braces(&shard.space, 0)),
            shard,
            behind,
        }
    }

    fn is_of(&self, namespace: &str, tags: &[Tag]) -> bool {
        *self.tags == *tags && *self.namespace == *namespace
    }

    /// How many tags there are.
    pub(crate) const fn count(&self) -> usize {
        self.tags.len()
    }

    /// The read of some entries in one command, if that is well for a server, and their names lie in the namespace.
    pub(crate) fn of_all(&self, names: &[&str]) -> Option<Request> {
        let is_ours = |name: &&str| is_in(&self.shard.space, name) && check(name).is_ok();
        // Names that are refused are refused where the reason is given.
        if names.len() > MOST || !names.iter().all(is_ours) {
            return None;
        }
        let each = |name: &&str| self.beginning.len() + name.len() + AROUND;
        let size = names.iter().map(each).sum::<usize>() + self.behind.size() + AROUND;
        let mut read = Packed::with_room(size);
        read.all_in("MGET", (&self.beginning, names), &self.behind);
        Some(Request::read(self.shard.slot, read))
    }
}

/// The prepared reads that were used last. Nobody waits for a lock of theirs, which a thread may have held when the process was forked.
#[derive(Default)]
pub(crate) struct Reads([RwLock<Option<Arc<Prepared>>>; KEPT]);

impl Reads {
    /// The reads of a namespace with these tags; None where nothing is prepared.
    pub(crate) fn of(
        &self,
        layout: Layout,
        namespace: &str,
        tags: &[Tag],
    ) -> Option<Arc<Prepared>> {
        if layout != Layout::ONE || tags.is_empty() || tags.len() > MOST_TAGS {
            return None;
        }
        // Tags are digests.
        let spread = tags.iter().fold(0, |all, tag| all ^ usize::from(tag.0[0]));
        let place = &self.0[spread % KEPT];
        let kept = place.try_read().and_then(|kept| kept.clone());
        if let Some(kept) = kept.filter(|kept| kept.is_of(namespace, tags)) {
            return Some(kept);
        }
        let prepared = Arc::new(Prepared::new(layout, namespace, tags));
        if let Some(mut place) = place.try_write() {
            *place = Some(Arc::clone(&prepared));
        }
        Some(prepared)
    }
}

impl Redis {
    /// The prepared read of some entries, in a namespace that is listened to from here on.
    pub(crate) fn prepared(
        &self,
        names: &[&str],
        namespace: &str,
        tags: &[Tag],
    ) -> Option<(Arc<Prepared>, Request)> {
        let prepared = self.reads.of(self.layout, namespace, tags)?;
        let request = prepared.of_all(names)?;
        self.attend(&prepared.shard.space);
        Some((prepared, request))
    }

    /// What lies under so many names, when that was, and what is known of these tags, read as it was prepared.
    async fn ask_prepared(
        &self,
        count: usize,
        (prepared, request): (Arc<Prepared>, Request),
        (namespace, tags): (&str, &[Tag]),
    ) -> Result<(Vec<Value>, u64, Reading), Failure> {
        let Timed { value, moment } = self.link.read_one(&request).await?;
        let Value::Array(mut there) = value else {
            return Err(unexpected("a read"));
        };
        if there.len() != count + 1 + prepared.count() {
            return Err(unexpected("a read"));
        }
        let reading = match markers_in(&prepared.shard, &there[count..])? {
            Read::There(mark, markers) => Reading {
                shards: vec![mark],
                markers,
            },
            Read::Missing => Reading {
                shards: Vec::new(),
                markers: vec![None; prepared.count()],
            },
            Read::Unclear => {
                let parts = self.parts(namespace, tags);
                let read = [Ok(Value::Array(there.split_off(count)))];
                Box::pin(self.made_clear(&parts, read)).await?
            }
        };
        there.truncate(count);
        Ok((there, moment, reading))
    }

    /// Reads an entry and what is known of these tags, as it was prepared.
    ///
    /// # Errors
    /// What stood in the way, or what the server refused.
    pub(crate) async fn get_prepared(
        &self,
        prepared: (Arc<Prepared>, Request),
        of: (&str, &[Tag]),
    ) -> Result<(Option<Found>, Reading), Failure> {
        let (mut there, moment, reading) = self.ask_prepared(1, prepared, of).await?;
        Ok((found_at(there.swap_remove(0), moment)?, reading))
    }

    /// As [`get_prepared`](Self::get_prepared), of so many.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn get_many_prepared(
        &self,
        count: usize,
        prepared: (Arc<Prepared>, Request),
        of: (&str, &[Tag]),
    ) -> Result<(Vec<Option<Found>>, Reading), Failure> {
        let (there, moment, reading) = self.ask_prepared(count, prepared, of).await?;
        // What lies in a shard that is not there is a miss.
        if reading.shards.is_empty() {
            return Ok((vec![None; count], reading));
        }
        let found = there.into_iter();
        let found: Result<_, _> = found.map(|entry| found_at(entry, moment)).collect();
        Ok((found?, reading))
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: [Tag; 2] = [Tag([1; 16]), Tag([2; 16])];

    #[test]
    fn what_is_prepared_is_what_would_be_written_anew() {
        let (reads, names) = (Reads::default(), ["shop:f::1", "shop:g::23", "shop"]);
        let prepared = reads.of(Layout::ONE, "shop", &TAGS).expect("one server");
        let text = |packed: &Packed| String::from_utf8_lossy(&packed.bytes).into_owned();
        for count in 1..=names.len() {
            let names = &names[..count];
            let mut sent = Packed::default();
            let request = prepared.of_all(names).expect("they lie in the namespace");
            request.write(&mut sent, Default::default(), "");
            let mut expected = Packed::default();
            let shard = Layout::ONE.shard_of_name(names[0]);
            let keys = names.iter().map(|name| Layout::ONE.keys(name).entry);
            let mut keys: Vec<_> = keys.chain([shard.key.clone()]).collect();
            keys.extend(TAGS.iter().map(|tag| shard.marker(tag)));
            expected.words("MGET", keys);
            assert_eq!(text(&sent), text(&expected));
            assert_eq!(sent.count, expected.count);
            assert_eq!(request.slot, shard.slot);
        }
        assert!(prepared.of_all(&["shop:f::1", "another:f::1"]).is_none());
        assert!(prepared.of_all(&[names[0]; MOST + 1]).is_none());
        assert!(prepared.of_all(&["another:f::1"]).is_none());
    }

    #[test]
    fn reads_with_the_same_tags_are_prepared_once_and_others_are_not_mixed_up() {
        let reads = Reads::default();
        let of = |namespace, tags: &[Tag]| reads.of(Layout::ONE, namespace, tags);
        let first = of("shop", &TAGS).expect("one server");
        assert!(Arc::ptr_eq(&first, &of("shop", &TAGS).expect("it is kept")));
        let other = of("other", &TAGS).expect("one server");
        assert_eq!(&*other.shard.space, "other");
        let fewer = of("other", &TAGS[..1]).expect("one server");
        assert_eq!((other.count(), fewer.count()), (2, 1));
        assert!(of("shop", &[]).is_none());
        assert!(of("shop", &[TAGS[0]; MOST_TAGS + 1]).is_none());
        assert!(reads.of(Layout::SPREAD, "shop", &TAGS).is_none());
    }

    #[test]
    fn nobody_waits_for_a_lock() {
        let reads = Reads::default();
        let _held: Vec<_> = reads.0.iter().map(RwLock::write).collect();
        let prepared = reads.of(Layout::ONE, "shop", &TAGS).expect("one server");
        assert!(prepared.of_all(&["shop:f::1"]).is_some());
    }
}
