//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};
use mongodb::bson::{Bson, doc};

use crate::entry::{life, named, was_live};
use crate::steps::{from_now, if_live, with};
use crate::store::MongoDb;

impl Touch for MongoDb {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.later(move |server| {
            let name = named(name);
            let end: Bson = ttl.map_or(Bson::Null, |ttl| from_now(ttl).into());
            async move {
                let stages = if_live(with(doc! { "u": end }));
                let before = server.change(doc! { "_id": name? }, stages, (life(), false));
                Ok(before.await?.is_some_and(|before| was_live(&before)))
            }
        })
    }
}
