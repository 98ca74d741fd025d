//! The shards of a namespace: each is a document with its epoch, its number, and the markers of the tags that lie in it.
//!
//! | field | is |
//! |---|---|
//! | `_id` | the namespace and the shard's number |
//! | `e`, `n` | the epoch, and how many invalidations there were |
//! | `t` | the markers: `k` the tag, `m` its number, `q` until when it is kept (null: for ever) |
//! | `t.s`, `t.w` | by how many the tag is suspended, and until when |
//!
//! Every step on a shard is one command on one document. Marks are never taken back: steps count when most servers have them, and
//! what is read most have.

use std::collections::BTreeMap;
use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::Failure;
use everwarm_network::chance;
use mongodb::bson::raw::RawBsonRef;
use mongodb::bson::{Bson, Document, RawArray, RawDocument, RawDocumentBuf, doc};

use crate::entry::{binary, left_of, millis};
use crate::error::unexpected;
use crate::server::{Server, left};
use crate::steps::from_now;

/// How many shards a namespace has. It is for ever: who counts them otherwise looks elsewhere.
pub(crate) const SHARDS: u16 = 16;

/// What a step does to the tags that it names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Gives them markers that are kept for so long; `None`: for ever.
    Hold(Option<Duration>),
    /// Invalidates them.
    Invalidate,
    /// Invalidates them, and suspends them for so long.
    Suspend(Duration),
    /// Invalidates them, and ends one suspension of each.
    Resume,
}

/// Tags of a namespace, by their shards.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) space: String,
    tags: Vec<Tag>,
}

/// What is read of a shard.
struct Shard {
    at: Mark,
    markers: Vec<Marker>,
}

struct Marker {
    tag: Tag,
    number: i64,
    /// What is left of the time that it is kept; `None`: it is kept for ever.
    kept: Option<i64>,
    /// What is left of its suspension.
    suspended: Option<i64>,
}

/// The shards that were read.
pub(crate) struct Shards(BTreeMap<u16, Shard>);

/// In which shard a tag lies.
fn shard_of(tag: &Tag) -> u16 {
    // Digests are as good as random; all bytes count, so that those of tests are spread, too.
    let sum = tag.0.iter().fold(0_u16, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u16::from(*byte))
    });
    (sum ^ (sum >> 8)) % SHARDS
}

impl Parts {
    pub(crate) fn new(space: &str, tags: &[Tag]) -> Self {
        Self {
            space: space.to_owned(),
            tags: tags.to_vec(),
        }
    }

    /// The shards of the tags, each once.
    fn own(&self) -> Vec<u16> {
        let mut own: Vec<u16> = self.tags.iter().map(shard_of).collect();
        own.sort_unstable();
        own.dedup();
        own
    }

    /// The shards' documents.
    pub(crate) fn ids(&self) -> Vec<Bson> {
        self.own().into_iter().map(|shard| self.id(shard)).collect()
    }

    fn id(&self, shard: u16) -> Bson {
        doc! { "space": &self.space, "shard": i32::from(shard) }.into()
    }

    /// The tags in a shard, each once, as the server knows them.
    fn within(&self, shard: u16) -> Vec<Bson> {
        let mut tags: Vec<&Tag> = self
            .tags
            .iter()
            .filter(|tag| shard_of(tag) == shard)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        tags.into_iter().map(|tag| binary(&tag.0)).collect()
    }

    /// What is read of a shard's document: of the markers, those of these tags, with what is left of their times.
    pub(crate) fn fields(&self) -> Document {
        let mut tags: Vec<&Tag> = self.tags.iter().collect();
        tags.sort_unstable();
        tags.dedup();
        let tags: Vec<Bson> = tags.into_iter().map(|tag| binary(&tag.0)).collect();
        let those = doc! { "$filter": {
            "input": "$t",
            "as": "t",
            "cond": { "$in": ["$$t.k", tags] },
        } };
        let left = doc! {
            "k": "$$t.k", "m": "$$t.m", "q": left_of("$$t.q"), "w": left_of("$$t.w"),
        };
        doc! { "e": 1, "n": 1, "t": { "$map": { "input": those, "as": "t", "in": left } } }
    }

    /// The reading that shards give: their marks, and the markers of all tags.
    pub(crate) fn reading(&self, shards: &Shards) -> Reading {
        Reading {
            shards: shards.0.values().map(|shard| shard.at).collect(),
            markers: self.tags.iter().map(|tag| shards.marker(tag)).collect(),
        }
    }

    /// The tags' shards in which a step is due: a shard is missing, or a marker, or it would not be kept for long enough, or a
    /// suspension is over.
    fn due(&self, shards: &Shards, keep: Option<Duration>) -> Vec<u16> {
        let mut due = self.own();
        due.retain(|shard| {
            let mut tags = self.tags.iter().filter(|tag| shard_of(tag) == *shard);
            !tags.all(|tag| shards.is_kept(tag, keep))
        });
        due
    }
}

impl Shards {
    /// Those among documents that were read.
    ///
    /// # Errors
    /// `Corruption`.
    pub(crate) fn among<'r>(
        rows: impl IntoIterator<Item = &'r RawDocument>,
    ) -> Result<Self, Failure> {
        let mut shards = Self(BTreeMap::new());
        for row in rows {
            shards.add(row)?;
        }
        Ok(shards)
    }

    fn add(&mut self, row: &RawDocument) -> Result<(), Failure> {
        let read = || {
            let id = row.get_document("_id").ok()?;
            let shard = u16::try_from(number(id, "shard")?).ok()?;
            let markers = row.get_array("t").ok()?;
            let at = Mark {
                shard,
                epoch: row.get_i64("e").ok()? as u64,
                number: row.get_i64("n").ok()? as u64,
            };
            Some((
                shard,
                Shard {
                    at,
                    markers: markers_in(markers)?,
                },
            ))
        };
        let (number, shard) = read().ok_or_else(|| unexpected("a read of markers"))?;
        self.0.insert(number, shard);
        Ok(())
    }

    fn find(&self, tag: &Tag) -> Option<(&Shard, &Marker)> {
        let shard = self.0.get(&shard_of(tag))?;
        let marker = shard.markers.iter().find(|marker| marker.tag == *tag)?;
        Some((shard, marker))
    }

    /// The marker of a tag. While it is suspended that is the next number, which no stamp has; when that is over, none, until a step
    /// gave it one.
    fn marker(&self, tag: &Tag) -> Option<Mark> {
        let (shard, marker) = self.find(tag)?;
        match marker.suspended {
            None => Some(Mark {
                number: marker.number as u64,
                ..shard.at
            }),
            Some(1..) => Some(Mark {
                number: shard.at.number + 1,
                ..shard.at
            }),
            Some(_) => None,
        }
    }

    fn is_kept(&self, tag: &Tag, keep: Option<Duration>) -> bool {
        self.find(tag).is_some_and(|(_, marker)| {
            let is_long = match (marker.kept, keep) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(kept), Some(keep)) => kept >= millis(keep),
            };
            is_long && marker.suspended.is_none_or(|left| left > 0)
        })
    }
}

fn number(row: &RawDocument, field: &str) -> Option<i64> {
    match row.get(field).ok()?? {
        RawBsonRef::Int32(number) => Some(number.into()),
        RawBsonRef::Int64(number) => Some(number),
        _ => None,
    }
}

fn markers_in(markers: &RawArray) -> Option<Vec<Marker>> {
    let each = |marker: mongodb::bson::error::Result<RawBsonRef<'_>>| {
        let marker = marker.ok()?.as_document()?;
        let digest = marker.get_binary("k").ok()?;
        Some(Marker {
            tag: Tag(digest.bytes.try_into().ok()?),
            number: number(marker, "m")?,
            kept: number(marker, "q"),
            suspended: number(marker, "w"),
        })
    };
    markers.into_iter().map(each).collect()
}

impl Server {
    /// The tags' shards as they are.
    pub(crate) async fn shards(&self, parts: &Parts) -> Result<Shards, Failure> {
        self.those(parts, parts.ids()).await
    }

    async fn those(&self, parts: &Parts, ids: Vec<Bson>) -> Result<Shards, Failure> {
        let rows = self.read(doc! {
            "find": &self.config.collection,
            "filter": { "_id": { "$in": ids } },
            "projection": parts.fields(),
        });
        let rows = rows.await?;
        Shards::among(rows.iter().map(AsRef::as_ref))
    }

    /// The shards of a namespace, all of them, with markers for the tags: what a computation begins with.
    pub(crate) async fn begin(
        &self,
        parts: &Parts,
        keep: Option<Duration>,
    ) -> Result<Shards, Failure> {
        // The result may bring further tags, which may lie in any shard.
        let all = || (0..SHARDS).map(|shard| parts.id(shard)).collect();
        let mut shards = self.those(parts, all()).await?;
        if shards.0.len() < usize::from(SHARDS) {
            self.make(parts, &shards).await?;
            shards = self.those(parts, all()).await?;
        }
        self.hold(parts, &mut shards, keep).await?;
        Ok(shards)
    }

    /// Gives the tags markers where they lack one.
    pub(crate) async fn hold(
        &self,
        parts: &Parts,
        shards: &mut Shards,
        keep: Option<Duration>,
    ) -> Result<(), Failure> {
        let due = parts.due(shards, keep);
        for row in self.step_each(parts, due, Step::Hold(keep)).await? {
            shards.add(&row)?;
        }
        Ok(())
    }

    /// The same step on all shards of the tags; what it left.
    pub(crate) async fn strike(&self, parts: &Parts, step: Step) -> Result<Shards, Failure> {
        let rows = self.step_each(parts, parts.own(), step).await?;
        Shards::among(rows.iter().map(AsRef::as_ref))
    }

    async fn step_each(
        &self,
        parts: &Parts,
        shards: Vec<u16>,
        step: Step,
    ) -> Result<Vec<RawDocumentBuf>, Failure> {
        let steps = shards
            .into_iter()
            .map(|shard| self.step(parts, shard, step));
        futures_util::future::try_join_all(steps).await
    }

    async fn step(&self, parts: &Parts, shard: u16, step: Step) -> Result<RawDocumentBuf, Failure> {
        let said = self.write_for_good(doc! {
            "findAndModify": &self.config.collection,
            "query": { "_id": parts.id(shard) },
            "update": stages(parts.within(shard), step),
            "fields": parts.fields(),
            "upsert": true,
            "new": true,
        });
        let said = said.await?;
        let row = left(&said).and_then(|row| RawDocumentBuf::try_from(row).ok());
        row.ok_or_else(|| unexpected("a step on markers"))
    }

    /// Makes the shards that are missing.
    async fn make(&self, parts: &Parts, there: &Shards) -> Result<(), Failure> {
        let missing = (0..SHARDS).filter(|shard| !there.0.contains_key(shard));
        let made = missing.map(|shard| {
            let fresh = doc! { "e": chance::bigint(), "n": 0_i64, "t": [] };
            doc! { "q": { "_id": parts.id(shard) }, "u": { "$setOnInsert": fresh }, "upsert": true }
        });
        let asked = doc! {
            "update": &self.config.collection,
            "updates": made.collect::<Vec<_>>(),
            "ordered": false,
        };
        self.write_for_good(asked).await.map(drop)
    }
}

/// The stages of a step on a shard.
fn stages(tags: Vec<Bson>, step: Step) -> Vec<Document> {
    let tags = Bson::Array(tags);
    let each = |marker: Document| doc! { "$map": { "input": "$t", "as": "t", "in": marker } };
    let is_over = || {
        doc! { "$and": [
            { "$eq": [{ "$type": "$$t.w" }, "date"] },
            { "$lte": ["$$t.w", "$$NOW"] },
        ] }
    };
    let is_named = doc! { "$in": ["$$t.k", &tags] };
    let is_needed = doc! { "$or": [
        &is_named,
        { "$eq": [{ "$type": "$$t.w" }, "date"] },
        { "$ne": [{ "$type": "$$t.q" }, "date"] },
        { "$gt": ["$$t.q", "$$NOW"] },
    ] };
    let unknown = doc! { "$map": {
        "input": { "$setDifference": [&tags, "$t.k"] },
        "as": "k",
        "in": first(step),
    } };
    let known = each(doc! { "$cond": [&is_named, again(step), "$$t"] });
    let after = match step {
        Step::Hold(_) => 0_i64,
        Step::Invalidate | Step::Suspend(_) | Step::Resume => 1,
    };
    vec![
        doc! { "$set": {
            "e": { "$ifNull": ["$e", chance::bigint()] },
            "n": { "$ifNull": ["$n", 0_i64] },
            "t": { "$ifNull": ["$t", []] },
        } },
        // A suspension that is over ends as by an invalidation: what began while it lasted stays out.
        doc! { "$set": { "over": { "$anyElementTrue": [each(is_over())] } } },
        doc! { "$set": { "n": { "$add": ["$n", { "$cond": ["$over", 1_i64, 0_i64] }] } } },
        doc! { "$set": { "t": each(doc! { "$cond": [
            is_over(),
            { "k": "$$t.k", "m": "$n", "q": "$$t.q" },
            "$$t",
        ] }) } },
        doc! { "$set": {
            "n": { "$add": ["$n", after] },
            "t": { "$filter": { "input": "$t", "as": "t", "cond": is_needed } },
        } },
        doc! { "$set": { "t": { "$concatArrays": [known, unknown] } } },
        doc! { "$unset": "over" },
    ]
}

/// Until when a marker is kept that is made now. It is longer than was asked for, so that it is not written each time.
fn kept(keep: Option<Duration>) -> Bson {
    keep.map_or(Bson::Null, |keep| {
        from_now(
            keep.saturating_mul(2)
                .saturating_add(Duration::from_secs(60)),
        )
        .into()
    })
}

/// The marker of a tag that had none.
fn first(step: Step) -> Document {
    match step {
        Step::Hold(keep) => doc! { "k": "$$k", "m": "$n", "q": kept(keep) },
        // No entry carries it, so it need not be kept.
        Step::Invalidate | Step::Resume => doc! { "k": "$$k", "m": "$n", "q": "$$NOW" },
        Step::Suspend(span) => {
            doc! { "k": "$$k", "m": "$n", "q": "$$NOW", "s": 1_i64, "w": from_now(span) }
        }
    }
}

/// The marker of a tag that had one.
fn again(step: Step) -> Document {
    let is_suspended = || doc! { "$eq": [{ "$type": "$$t.w" }, "date"] };
    let struck = doc! { "k": "$$t.k", "m": "$n", "q": "$$t.q" };
    match step {
        Step::Hold(None) => doc! { "$mergeObjects": ["$$t", { "q": null }] },
        Step::Hold(keep) => {
            let longer = doc! { "$max": ["$$t.q", kept(keep)] };
            let is_endless = doc! { "$ne": [{ "$type": "$$t.q" }, "date"] };
            doc! { "$mergeObjects": ["$$t", { "q": { "$cond": [is_endless, null, longer] } }] }
        }
        Step::Invalidate => doc! { "$mergeObjects": ["$$t", { "m": "$n" }] },
        Step::Suspend(span) => doc! { "$mergeObjects": [struck, {
            "s": { "$add": [{ "$ifNull": ["$$t.s", 0_i64] }, 1_i64] },
            "w": { "$max": ["$$t.w", from_now(span)] },
        }] },
        Step::Resume => {
            let goes_on = doc! { "$and": [is_suspended(), { "$gt": ["$$t.s", 1_i64] }] };
            let fewer = doc! { "s": { "$subtract": ["$$t.s", 1_i64] }, "w": "$$t.w" };
            doc! { "$mergeObjects": [struck, { "$cond": [goes_on, fewer, {}] }] }
        }
    }
}
