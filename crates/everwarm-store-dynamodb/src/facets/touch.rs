//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};
use serde_json::json;

use crate::item::{Key, LIVE, deadline, expires_at, number};
use crate::store::DynamoDb;

impl Touch for DynamoDb {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        Answer::later(async move {
            let now = self.now()?;
            let end = deadline(now, ttl);
            let mut values = json!({":now": number(now), ":end": number(end)});
            let update = match expires_at(end) {
                Some(at) => {
                    values[":at"] = at;
                    "SET d = :end, expires_at = :at"
                }
                None => "SET d = :end REMOVE expires_at",
            };
            let question = json!({
                "Key": Key::of(name)?.json(),
                "UpdateExpression": update,
                "ConditionExpression": LIVE,
                "ExpressionAttributeValues": values,
            });
            self.held("UpdateItem", question).await
        })
    }
}
