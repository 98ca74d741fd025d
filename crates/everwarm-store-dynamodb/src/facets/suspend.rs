//! Tags under which nothing is stored for a while: the end of that is kept in their markers.

use std::collections::BTreeMap;
use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Failure, Suspend};

use crate::clock::{Millis, span_millis};
use crate::error::contended;
use crate::facets::TRIES;
use crate::facets::markers::{Looked, Marker, Shard, marker_key, shard_of};
use crate::many::abreast;
use crate::store::DynamoDb;

/// What happens to suspensions.
#[derive(Clone, Copy)]
enum Change {
    /// One more, for so long.
    Suspend(Duration),
    /// One less.
    Resume,
}

impl Change {
    fn of(self, marker: Option<Marker>, shard: Shard, now: Millis) -> Marker {
        // One that nobody named before need not be kept: no entry carries it.
        let before = marker.unwrap_or_else(|| Marker::new(shard, now));
        let suspended = before.suspended.filter(|(end, _)| *end > now);
        Marker {
            suspended: match (self, suspended) {
                (Self::Suspend(span), None) => Some((now + span_millis(span), 1)),
                (Self::Suspend(span), Some((end, count))) => {
                    Some((end.max(now + span_millis(span)), count + 1))
                }
                (Self::Resume, Some((end, count))) if count > 1 => Some((end, count - 1)),
                (Self::Resume, _) => None,
            },
            ..before.struck(shard)
        }
    }
}

impl DynamoDb {
    async fn change(
        &self,
        namespace: &str,
        tags: &[Tag],
        change: Change,
    ) -> Result<Reading, Failure> {
        let shards = self.raised(namespace, tags).await?;
        let mut unique = tags.to_vec();
        unique.sort_unstable();
        unique.dedup();
        let each = unique
            .into_iter()
            .map(|tag| self.changed(namespace, tag, shards[&shard_of(&tag)], change));
        let markers = abreast(each.collect()).await?;
        let markers: BTreeMap<Tag, Marker> = markers.into_iter().collect();
        let looked = Looked {
            now: self.now()?,
            shards,
            markers,
            items: BTreeMap::new(),
        };
        Ok(looked.reading(tags))
    }

    async fn changed(
        &self,
        namespace: &str,
        tag: Tag,
        shard: Shard,
        change: Change,
    ) -> Result<(Tag, Marker), Failure> {
        let key = marker_key(namespace, &tag);
        for _ in 0..TRIES {
            let old = self.marker(&key).await?;
            let new = change.of(old, shard, self.now()?);
            if self.marked(&key, new, old.as_ref()).await? {
                return Ok((tag, new));
            }
        }
        Err(contended("a tag was neither suspended nor resumed"))
    }
}

impl Suspend for DynamoDb {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        Answer::later(self.change(namespace, tags, Change::Suspend(span)))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.change(namespace, tags, Change::Resume))
    }
}
