//! Shards and markers as items: the tags of a namespace lie in two shards, whose number every invalidation of a tag in them raises; a
//! marker is an item of its own.
//!
//! No write changes two of them. An invalidation raises the number first, and that is its moment: what begins later began after it.
//! Then it writes its markers, and is acknowledged once they are there. A marker that is missing is made with the number as it was
//! read a moment before; one that an invalidation wrote meanwhile is in the way of that, and stays for ten minutes longer than it is
//! kept, which is longer than any request is good for. Other changes of a marker are made only if nobody changed it since it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::Failure;
use serde_json::{Value, json};

use crate::clock::{Millis, span_millis};
use crate::error::{contended, long_name, unexpected};
use crate::facets::TRIES;
use crate::item::{FOREVER, Item, Key, LONGEST_NAME, number, number_of};
use crate::many::{abreast, taken};
use crate::store::DynamoDb;
use everwarm_network::chance;

/// Over how many shards the tags of a namespace are spread. Entries lie in none of them.
pub(super) const SHARDS: u16 = 2;
/// How much longer than it is kept a marker stays.
const LINGERS: Millis = 600_000;

/// The number of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) id: u16,
    pub(super) epoch: u64,
    pub(super) number: u64,
}

/// What is known of a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marker {
    pub(super) epoch: u64,
    pub(super) number: u64,
    /// How long it is kept.
    pub(super) until: Millis,
    /// When its suspension ends, and how many asked for one; None where nobody did.
    pub(super) suspended: Option<(Millis, u64)>,
    /// The number of the write.
    pub(super) write: u64,
}

/// What was read of a namespace.
pub(super) struct Looked {
    pub(super) now: Millis,
    pub(super) shards: BTreeMap<u16, Shard>,
    pub(super) markers: BTreeMap<Tag, Marker>,
    /// What else was asked for.
    pub(super) items: BTreeMap<Key, Item>,
}

impl Shard {
    fn read(id: u16, item: &Item) -> Result<Self, Failure> {
        let read = number_of(item, "e").zip(number_of(item, "n"));
        let (epoch, number) = read.ok_or_else(|| unexpected("the number of a shard"))?;
        Ok(Self { id, epoch, number })
    }

    const fn mark(self) -> Mark {
        Mark {
            shard: self.id,
            epoch: self.epoch,
            number: self.number,
        }
    }
}

impl Marker {
    /// One that nobody wrote yet.
    pub(super) const fn new(shard: Shard, until: Millis) -> Self {
        Self {
            epoch: shard.epoch,
            number: shard.number,
            until,
            suspended: None,
            write: 0,
        }
    }

    pub(super) fn read(item: &Item) -> Result<Self, Failure> {
        let read = || {
            Some(Self {
                epoch: number_of(item, "e")?,
                number: number_of(item, "n")?,
                until: number_of(item, "u")?,
                suspended: number_of(item, "x").zip(number_of(item, "c")),
                write: number_of(item, "r")?,
            })
        };
        read().ok_or_else(|| unexpected("a marker"))
    }

    /// The same, invalidated.
    pub(super) fn struck(self, shard: Shard) -> Self {
        let number = match self.epoch == shard.epoch {
            true => self.number.max(shard.number),
            false => shard.number,
        };
        Self {
            epoch: shard.epoch,
            number,
            ..self
        }
    }

    /// Whether its suspension is over, and nobody has ended it.
    pub(super) fn is_over(&self, now: Millis) -> bool {
        self.suspended.is_some_and(|(end, _)| end <= now)
    }

    /// What is read of it.
    fn mark(&self, shard: Shard, now: Millis) -> Option<Mark> {
        match self.suspended {
            // Later than all that has begun.
            Some((end, _)) if end > now => Some(Mark {
                number: shard.number + 1,
                ..shard.mark()
            }),
            Some(_) => None,
            None => Some(Mark {
                shard: shard.id,
                epoch: self.epoch,
                number: self.number,
            }),
        }
    }
}

impl Looked {
    pub(super) fn reading(&self, tags: &[Tag]) -> Reading {
        let mark = |tag| {
            let shard = self.shards.get(&shard_of(tag))?;
            self.markers.get(tag)?.mark(*shard, self.now)
        };
        Reading {
            shards: self.shards.values().map(|shard| shard.mark()).collect(),
            markers: tags.iter().map(mark).collect(),
        }
    }
}

/// In which shard a tag lies.
pub(super) fn shard_of(tag: &Tag) -> u16 {
    u16::from(tag.0[0]) % SHARDS
}

/// The shards in which tags lie.
pub(super) fn shards_of(tags: &[Tag]) -> BTreeSet<u16> {
    tags.iter().map(shard_of).collect()
}

/// The item of a shard's number.
fn shard_key(namespace: &str, id: u16) -> Key {
    Key {
        pk: format!("g{namespace}"),
        sk: format!("={id:x}"),
    }
}

/// The item of a tag's marker.
pub(super) fn marker_key(namespace: &str, tag: &Tag) -> Key {
    let digits = tag.0.iter().map(|byte| format!("{byte:02x}"));
    Key {
        pk: format!("m{}", digits.collect::<String>()),
        sk: format!("={namespace}"),
    }
}

/// When a marker that is kept so long may be deleted.
pub(super) fn lingers(until: Millis) -> Value {
    number((until + LINGERS) / 1_000)
}

/// Until when something is kept, from now on.
pub(super) fn kept(now: Millis, keep: Option<Duration>) -> Millis {
    keep.map_or(FOREVER, |keep| {
        now.saturating_add(span_millis(keep)).min(FOREVER)
    })
}

impl DynamoDb {
    /// What there is of tags and of shards, and some items besides, in one trip: each as it was at some moment since this was asked for.
    pub(super) async fn looked(
        &self,
        (namespace, tags): (&str, &[Tag]),
        ids: impl IntoIterator<Item = u16>,
        besides: &[Key],
    ) -> Result<Looked, Failure> {
        if namespace.len() > LONGEST_NAME {
            return Err(long_name(namespace.len()));
        }
        let of_shards: Vec<_> = ids
            .into_iter()
            .map(|id| (id, shard_key(namespace, id)))
            .collect();
        let of_tags: BTreeMap<Tag, Key> = tags
            .iter()
            .map(|tag| (*tag, marker_key(namespace, tag)))
            .collect();
        let mut keys: Vec<Key> = besides.to_vec();
        keys.extend(of_shards.iter().map(|(_, key)| key.clone()));
        keys.extend(of_tags.values().cloned());
        let mut items = self.link.items(&keys, true).await?;
        let mut shards = BTreeMap::new();
        for (id, key) in of_shards {
            if let Some(item) = items.remove(&key) {
                shards.insert(id, Shard::read(id, &item)?);
            }
        }
        let mut markers = BTreeMap::new();
        for (tag, key) in of_tags {
            if let Some(item) = items.remove(&key) {
                markers.insert(tag, Marker::read(&item)?);
            }
        }
        Ok(Looked {
            now: self.now()?,
            shards,
            markers,
            items,
        })
    }

    /// Makes the number of a shard, if nobody has.
    pub(super) async fn begun(&self, namespace: &str, id: u16) -> Result<(), Failure> {
        let key = shard_key(namespace, id);
        let question = json!({
            "Item": {
                "pk": {"S": key.pk},
                "sk": {"S": key.sk},
                "e": number(chance::number()),
                "n": number(0),
            },
            "ConditionExpression": "attribute_not_exists(pk)",
        });
        self.held("PutItem", question).await.map(drop)
    }

    /// Raises the numbers of the shards in which tags lie, and gives them.
    pub(super) async fn raised(
        &self,
        namespace: &str,
        tags: &[Tag],
    ) -> Result<BTreeMap<u16, Shard>, Failure> {
        let ids = shards_of(tags);
        let each = ids.iter().map(|id| self.one_raised(namespace, *id));
        let shards = abreast(each.collect()).await?;
        Ok(ids.into_iter().zip(shards).collect())
    }

    async fn one_raised(&self, namespace: &str, id: u16) -> Result<Shard, Failure> {
        for _ in 0..TRIES {
            let question = json!({
                "Key": shard_key(namespace, id).json(),
                "UpdateExpression": "ADD n :one",
                "ConditionExpression": "attribute_exists(pk)",
                "ExpressionAttributeValues": {":one": number(1)},
                "ReturnValues": "ALL_NEW",
            });
            if let Ok(mut said) = self.link.ask_if("UpdateItem", question).await? {
                let item = taken(&mut said, "Attributes")?;
                let item = item.ok_or_else(|| unexpected("the number of a shard"))?;
                return Shard::read(id, &item);
            }
            self.begun(namespace, id).await?;
        }
        Err(contended("a namespace was not invalidated"))
    }

    /// Writes a marker in the place of the one that was read, if that is still there; whether it was.
    pub(super) async fn marked(
        &self,
        key: &Key,
        new: Marker,
        old: Option<&Marker>,
    ) -> Result<bool, Failure> {
        let stays = new
            .suspended
            .map_or(new.until, |(end, _)| end.max(new.until));
        let mut item = json!({
            "pk": {"S": key.pk},
            "sk": {"S": key.sk},
            "e": number(new.epoch),
            "n": number(new.number),
            "u": number(new.until),
            "r": number(chance::number()),
            "expires_at": lingers(stays),
        });
        if let Some((end, count)) = new.suspended {
            item["x"] = number(end);
            item["c"] = number(count);
        }
        let question = match old {
            Some(old) => json!({
                "Item": item,
                "ConditionExpression": "r = :seen",
                "ExpressionAttributeValues": {":seen": number(old.write)},
            }),
            None => json!({"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}),
        };
        self.held("PutItem", question).await
    }

    /// The marker under a key.
    pub(super) async fn marker(&self, key: &Key) -> Result<Option<Marker>, Failure> {
        let question = json!({"Key": key.json(), "ConsistentRead": true});
        let mut said = self.link.ask("GetItem", question).await?;
        let item = taken(&mut said, "Item")?;
        item.map(|item| Marker::read(&item)).transpose()
    }
}
