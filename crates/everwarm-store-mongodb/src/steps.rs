//! What the server does to one document in one step, by its own clock: updates by a pipeline, whose stages see the document as it is.

use std::time::Duration;

use everwarm_core::store::{Bytes, Failure};
use everwarm_network::chance;
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::entry::{left_of, millis, written};

/// A date that nothing reaches.
fn never() -> Bson {
    DateTime::from_millis(253_402_300_799_000).into()
}

/// A date that was.
fn past() -> Bson {
    DateTime::from_millis(0).into()
}

/// The instant so long from now.
pub(crate) fn from_now(span: Duration) -> Document {
    doc! { "$add": ["$$NOW", millis(span)] }
}

/// Whether the document is an entry that has not expired, in a stage.
fn is_live() -> Document {
    doc! { "$and": [
        { "$eq": [{ "$type": "$v" }, "long"] },
        { "$gt": [{ "$ifNull": ["$u", never()] }, "$$NOW"] },
    ] }
}

/// The stages that make a document into another one if something holds.
fn if_so(holds: Document, other: impl Into<Bson>) -> Vec<Document> {
    let chosen = doc! { "$cond": [holds, other.into(), "$$ROOT"] };
    vec![doc! { "$replaceWith": chosen }, mend()]
}

/// The same for an entry that has not expired.
pub(crate) fn if_live(other: impl Into<Bson>) -> Vec<Document> {
    if_so(is_live(), other)
}

/// The same while a lease is there.
pub(crate) fn if_held(other: impl Into<Bson>) -> Vec<Document> {
    let is_held = doc! { "$gt": [{ "$ifNull": ["$lu", past()] }, "$$NOW"] };
    if_so(is_held, other)
}

/// The document with some of its fields changed.
pub(crate) fn with(fields: Document) -> Document {
    doc! { "$mergeObjects": ["$$ROOT", fields] }
}

/// The document without its lease.
pub(crate) fn without_lease() -> Document {
    doc! { "b": "$b", "c": "$c", "v": "$v", "u": "$u" }
}

/// A write: its number, and the fields of the entry.
///
/// # Errors
/// As [`written`].
pub(crate) fn put(bytes: &Bytes, ttl: Option<Duration>) -> Result<(i64, Document), Failure> {
    let mut fields = written(bytes)?;
    let version = chance::bigint();
    fields.insert("v", version);
    if let Some(ttl) = ttl {
        fields.insert("u", from_now(ttl));
    }
    Ok((version, fields))
}

/// The stage that puts an entry in the place of everything: a lease ends, too.
pub(crate) fn replace(fields: &Document) -> Document {
    let mut fields = fields.clone();
    if let Some(end) = fields.get("u").cloned() {
        fields.insert("x", end);
    }
    doc! { "$replaceWith": fields }
}

/// The stages that put an entry in its place and leave the lease.
pub(crate) fn replace_beside_lease(fields: &Document) -> Vec<Document> {
    vec![
        doc! { "$replaceWith": { "$mergeObjects": [fields, { "lt": "$lt", "lu": "$lu" }] } },
        mend(),
    ]
}

/// The stage that says anew when nothing is needed any more.
fn mend() -> Document {
    let is_endless = doc! { "$and": [
        { "$eq": [{ "$type": "$v" }, "long"] },
        { "$ne": [{ "$type": "$u" }, "date"] },
    ] };
    // What is null is less than any date.
    doc! { "$set": { "x": { "$cond": [is_endless, "$$REMOVE", { "$max": ["$u", "$lu", past()] }] } } }
}

/// One update of one document; `upsert`: which is made if it is missing.
pub(crate) fn update(query: Document, stages: Vec<Document>, upsert: bool) -> Document {
    doc! { "q": query, "u": stages, "upsert": upsert }
}

/// The stages that leave an entry that is live as it is, and put this one there else.
pub(crate) fn put_absent(fields: &Document) -> Vec<Document> {
    let chosen = doc! { "$cond": [is_live(), "$$ROOT", fields] };
    vec![doc! { "$replaceWith": chosen }, mend()]
}

/// The stages that change a number, if the new one has 64 bits; `version` says that it did.
pub(crate) fn count(by: i64, initial: i64, ttl: Option<Duration>, version: i64) -> Vec<Document> {
    let bound = match by {
        0.. => doc! { "$lte": ["$o", i64::MAX - by] },
        _ => doc! { "$gte": ["$o", i64::MIN - by] },
    };
    let fits = doc! { "$and": [{ "$eq": [{ "$type": "$o" }, "long"] }, bound] };
    let end: Bson = ttl.map_or(Bson::Null, |ttl| from_now(ttl).into());
    let end = doc! { "$cond": ["$live", "$u", end] };
    vec![
        doc! { "$set": { "live": is_live() } },
        doc! { "$set": { "o": { "$cond": ["$live", "$c", initial] } } },
        doc! { "$set": { "fits": fits } },
        doc! { "$replaceWith": { "$cond": [
            "$fits",
            { "c": { "$add": ["$o", by] }, "v": version, "u": &end, "x": &end },
            { "b": "$b", "c": "$c", "v": "$v", "u": "$u", "lt": "$lt", "lu": "$lu", "x": "$x" },
        ] } },
    ]
}

/// The stages that give a lease, unless another one has it.
pub(crate) fn lease(token: u64, ttl: Duration) -> Vec<Document> {
    let is_taken = doc! { "$and": [
        { "$gt": [{ "$ifNull": ["$lu", past()] }, "$$NOW"] },
        { "$ne": ["$lt", token as i64] },
    ] };
    let others = doc! { "lt": "$lt", "lu": "$lu" };
    let own = doc! { "lt": token as i64, "lu": from_now(ttl) };
    vec![
        doc! { "$set": { "live": is_live(), "taken": is_taken } },
        doc! { "$replaceWith": { "$mergeObjects": [
            { "$cond": ["$live", without_lease(), {}] },
            { "$cond": ["$taken", others, own] },
        ] } },
        mend(),
    ]
}

/// What is read of a lease: `left` is what is left of it.
pub(crate) fn lease_fields() -> Document {
    doc! { "_id": 0, "lt": 1, "left": left_of("$lu") }
}
