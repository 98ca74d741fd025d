//! Writes that depend on what is there: each is one step on one document.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional, Failure};
use mongodb::bson::{Document, doc};

use crate::entry::{life, named, was_live};
use crate::error::unexpected;
use crate::server::Server;
use crate::steps::{if_live, put, put_absent};
use crate::store::MongoDb;

impl Server {
    /// Puts an entry where none is; whether none was.
    async fn put_absent(
        &self,
        name: String,
        (number, fields): (i64, Document),
    ) -> Result<bool, Failure> {
        let query = doc! { "_id": name };
        let after = (doc! { "v": 1 }, true);
        let left = self.change(query, put_absent(&fields), after).await?;
        let left = left.ok_or_else(|| unexpected("a conditional write"))?;
        Ok(left.get_i64("v").ok() == Some(number))
    }

    /// Makes an entry that has not expired into something else, if it is of this write; whether it was there.
    async fn if_live(
        &self,
        name: String,
        version: Option<u64>,
        other: Document,
    ) -> Result<bool, Failure> {
        let mut query = doc! { "_id": name };
        if let Some(version) = version {
            query.insert("v", version as i64);
        }
        let before = self.change(query, if_live(other), (life(), false)).await?;
        Ok(before.is_some_and(|before| was_live(&before)))
    }
}

impl Conditional for MongoDb {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        self.later(move |server| {
            let asked = named(name).and_then(|name| Ok((name, put(&bytes, ttl)?)));
            async move {
                let (name, (number, fields)) = asked?;
                let has_held = match condition {
                    Condition::Absent => server.put_absent(name, (number, fields)).await?,
                    Condition::Present => server.if_live(name, None, fields).await?,
                    Condition::Version(version) => {
                        server.if_live(name, Some(version), fields).await?
                    }
                };
                Ok(has_held.then_some(number as u64))
            }
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        self.later(move |server| {
            let name = named(name);
            // No step deletes on a condition by the server's clock: what is left is nothing, which the server deletes soon.
            async move { server.if_live(name?, Some(version), doc! {}).await }
        })
    }
}
