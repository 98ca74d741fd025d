//! Numbers for invalidations.
//!
//! An entry and its tags are items of their own, and no tag lies where an entry does: markers are looked at before an entry is stored,
//! and what is invalidated between the two is stored with stamps that do not cover its markers, so that nobody takes it for valid.

use std::collections::BTreeMap;
use std::time::Duration;

use everwarm_core::mark::{Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Failure, Found, Generations, Settled};
use serde_json::json;

use crate::error::contended;
use crate::facets::TRIES;
use crate::facets::markers::{
    Looked, Marker, SHARDS, Shard, kept, lingers, marker_key, shard_of, shards_of,
};
use crate::item::{Key, OURS, number};
use crate::many::{abreast, taken};
use crate::store::{DynamoDb, keys, once};
use everwarm_network::chance;

impl DynamoDb {
    /// What there is of a namespace, with all that was missing made: its number, and markers that are kept for so long.
    async fn complete(
        &self,
        namespace: &str,
        tags: &[Tag],
        keep: Option<Duration>,
    ) -> Result<Looked, Failure> {
        for _ in 0..TRIES {
            let mut looked = self.looked((namespace, tags), 0..SHARDS, &[]).await?;
            let missing = (0..SHARDS).filter(|id| !looked.shards.contains_key(id));
            let missing: Vec<_> = missing.map(|id| self.begun(namespace, id)).collect();
            if !missing.is_empty() {
                abreast(missing).await?;
                continue;
            }
            if self.ended(namespace, &looked).await? {
                continue;
            }
            let now = looked.now;
            let needed = kept(now, keep);
            let mut lacking = BTreeMap::new();
            for tag in tags {
                let shard = looked.shards[&shard_of(tag)];
                let old = looked.markers.get(tag).copied();
                let is_there = |old: Marker| old.epoch == shard.epoch && old.until >= needed;
                if !old.is_some_and(is_there) {
                    lacking.insert(*tag, (shard, old));
                }
            }
            // Kept for longer than was asked for, so that it is not written each time.
            let until = keep.map(|keep| 2 * keep + Duration::from_secs(60));
            let until = kept(now, until);
            let written = lacking
                .into_iter()
                .map(|(tag, (shard, old))| self.lengthened((namespace, tag), shard, old, until));
            let mut is_complete = true;
            for (tag, marker) in abreast(written.collect()).await? {
                match marker {
                    Some(marker) => drop(looked.markers.insert(tag, marker)),
                    None => is_complete = false,
                }
            }
            if is_complete {
                return Ok(looked);
            }
        }
        Err(contended("the markers of tags were not made"))
    }

    /// Writes a marker that is missing, of another epoch, or not kept for long enough; `None` if another was faster.
    async fn lengthened(
        &self,
        (namespace, tag): (&str, Tag),
        shard: Shard,
        old: Option<Marker>,
        until: i64,
    ) -> Result<(Tag, Option<Marker>), Failure> {
        let new = match old {
            None => Marker::new(shard, until),
            Some(old) => Marker {
                until: old.until.max(until),
                ..match old.epoch == shard.epoch {
                    true => old,
                    false => old.struck(shard),
                }
            },
        };
        let key = marker_key(namespace, &tag);
        let is_written = self.marked(&key, new, old.as_ref()).await?;
        Ok((tag, is_written.then_some(new)))
    }

    /// Ends the suspensions that are over, as invalidations do; whether there were such.
    async fn ended(&self, namespace: &str, looked: &Looked) -> Result<bool, Failure> {
        let over = looked
            .markers
            .iter()
            .filter(|(_, marker)| marker.is_over(looked.now));
        let over: Vec<_> = over.collect();
        if over.is_empty() {
            return Ok(false);
        }
        let tags: Vec<Tag> = over.iter().map(|(tag, _)| **tag).collect();
        let shards = self.raised(namespace, &tags).await?;
        for (tag, marker) in over {
            let new = Marker {
                suspended: None,
                ..marker.struck(shards[&shard_of(tag)])
            };
            // Whoever was faster ended it, or asked for another.
            self.marked(&marker_key(namespace, tag), new, Some(marker))
                .await?;
        }
        Ok(true)
    }

    /// Writes the number of an invalidation as the marker of a tag, unless that of a later one is there.
    async fn invalidated(
        &self,
        namespace: &str,
        tag: Tag,
        shard: Shard,
    ) -> Result<Option<(Tag, Marker)>, Failure> {
        let now = self.now()?;
        let question = json!({
            "Key": marker_key(namespace, &tag).json(),
            // One that nobody named before need not be kept: no entry carries it.
            "UpdateExpression": "SET e = :e, n = :n, r = :r, u = if_not_exists(u, :u), \
                                 expires_at = if_not_exists(expires_at, :at)",
            "ConditionExpression": "attribute_not_exists(pk) OR e <> :e OR n < :n",
            "ExpressionAttributeValues": {
                ":e": number(shard.epoch),
                ":n": number(shard.number),
                ":r": number(chance::number()),
                ":u": number(now),
                ":at": lingers(now),
            },
            "ReturnValues": "ALL_NEW",
        });
        let Ok(mut said) = self.link.ask_if("UpdateItem", question).await? else {
            return Ok(None);
        };
        let item = taken(&mut said, "Attributes")?;
        let marker = item.map(|item| Marker::read(&item)).transpose()?;
        Ok(marker.map(|marker| (tag, marker)))
    }

    async fn all_invalidated(&self, namespace: &str, tags: &[Tag]) -> Result<Reading, Failure> {
        let shards = self.raised(namespace, tags).await?;
        let each = tags
            .iter()
            .map(|tag| self.invalidated(namespace, *tag, shards[&shard_of(tag)]));
        let markers = abreast(each.collect()).await?;
        let markers: BTreeMap<Tag, Marker> = markers.into_iter().flatten().collect();
        if tags.iter().any(|tag| !markers.contains_key(tag)) {
            let looked = self.looked((namespace, tags), shards_of(tags), &[]).await?;
            return Ok(looked.reading(tags));
        }
        let looked = Looked {
            now: self.now()?,
            shards,
            markers,
            items: BTreeMap::new(),
        };
        Ok(looked.reading(tags))
    }

    /// Stores what was computed, whose markers were looked at.
    async fn stored(&self, computed: &Computed<'_>, looked: &Looked) -> Result<Settled, Failure> {
        if !valid(computed.stamps, looked.reading(computed.tags).markers) {
            return Ok(Settled::Overtaken);
        }
        let (item, _) = self.entry(computed.name, computed.bytes.clone(), computed.ttl)?;
        let mut question = json!({"Item": item});
        if let Some(token) = computed.token {
            question["ConditionExpression"] = json!(OURS);
            question["ExpressionAttributeValues"] =
                json!({":now": number(self.now()?), ":token": number(token)});
        }
        Ok(match self.held("PutItem", question).await? {
            true => Settled::Stored,
            false => Settled::Lost,
        })
    }

    /// Settles those of one namespace: their markers are looked at together.
    async fn settled(&self, computed: &[&Computed<'_>]) -> Result<Vec<Settled>, Failure> {
        let Some(first) = computed.first() else {
            return Ok(Vec::new());
        };
        let mut tags: Vec<Tag> = computed
            .iter()
            .flat_map(|each| each.tags)
            .copied()
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let is_endless = computed.iter().any(|each| each.ttl.is_none());
        let keep = computed.iter().filter_map(|each| each.ttl).max();
        let keep = keep.filter(|_| !is_endless);
        let looked = self.complete(first.namespace, &tags, keep).await?;
        let stored = computed.iter().map(|each| self.stored(each, &looked));
        abreast(stored.collect()).await
    }
}

impl Generations for DynamoDb {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::later(async move {
            let looked = self.complete(namespace, tags, keep).await?;
            Ok(looked.reading(tags))
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(async move {
            let looked = self.looked((namespace, tags), shards_of(tags), &[]).await?;
            Ok(looked.reading(tags))
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        Answer::later(async move {
            let key = [Key::of(name)?];
            let looked = self
                .looked((namespace, tags), shards_of(tags), &key)
                .await?;
            let found = self.placed(&key, &looked.items)?.pop().flatten();
            Ok((found, looked.reading(tags)))
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        Answer::later(async move {
            let keys = keys(names)?;
            let looked = self
                .looked((namespace, tags), shards_of(tags), &once(&keys))
                .await?;
            Ok((self.placed(&keys, &looked.items)?, looked.reading(tags)))
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.all_invalidated(namespace, tags))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        Answer::later(async move {
            let settled = self.settled(&[&computed]).await?.pop();
            settled.ok_or_else(|| contended("nothing was settled"))
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        Answer::later(async move {
            let mut spaces: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (at, each) in computed.iter().enumerate() {
                spaces.entry(each.namespace).or_default().push(at);
            }
            let mut all = vec![Settled::Lost; computed.len()];
            for places in spaces.into_values() {
                let of_space: Vec<_> = places.iter().map(|&at| &computed[at]).collect();
                let settled = self.settled(&of_space).await?;
                for (at, settled) in places.into_iter().zip(settled) {
                    all[at] = settled;
                }
            }
            Ok(all)
        })
    }
}
