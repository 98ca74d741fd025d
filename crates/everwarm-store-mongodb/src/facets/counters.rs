//! Numbers that are changed in one step. What was set as the text of a number is one.

use std::time::Duration;

use everwarm_core::store::{Answer, Counters, Failure, FailureKind};
use everwarm_network::chance;
use mongodb::bson::doc;

use crate::entry::named;
use crate::error::unexpected;
use crate::server::{Server, left};
use crate::steps::count;
use crate::store::MongoDb;

fn refused() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "what is counted is no number, or would leave 64 bits",
        "delete it and begin anew, or count under a name of its own",
    )
}

impl Server {
    async fn incr(
        &self,
        name: String,
        (by, initial): (i64, i64),
        ttl: Option<Duration>,
    ) -> Result<i64, Failure> {
        let version = chance::bigint();
        let said = self.write(doc! {
            "findAndModify": &self.config.collection,
            "query": { "_id": name },
            "update": count(by, initial, ttl, version),
            "fields": { "c": 1, "v": 1 },
            // One that would begin beyond its bounds is not made.
            "upsert": initial.checked_add(by).is_some(),
            "new": true,
        });
        let said = said.await?;
        let left = left(&said).ok_or_else(refused)?;
        if left.get_i64("v").ok() != Some(version) {
            return Err(refused());
        }
        left.get_i64("c").map_err(|_| unexpected("a count"))
    }
}

impl Counters for MongoDb {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        self.later(move |server| {
            let name = named(name);
            async move { server.incr(name?, (by, initial), ttl).await }
        })
    }
}
