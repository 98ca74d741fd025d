//! What the server says of itself and of the collection.

use std::time::Duration;

use everwarm_core::health::{Remark, Report};
use everwarm_core::store::{Answer, Failure, Health};
use mongodb::bson::{Bson, Document, doc};

use crate::server::Server;
use crate::store::MongoDb;

/// A number, whichever way the server writes it.
fn count(row: &Document, field: &str) -> u64 {
    match row.get(field) {
        Some(Bson::Int32(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Bson::Int64(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Bson::Double(number)) => *number as u64,
        _ => 0,
    }
}

impl Server {
    async fn report(&self, is_full: bool) -> Result<Report, Failure> {
        let built = self.command(doc! { "buildInfo": 1 }).await?;
        let version = built.get_str("version").unwrap_or("of no number");
        let met = self.met().await?;
        let sized = self.sizes().await;
        let mut remarks = Vec::new();
        if is_full && !self.has_index().await? {
            remarks.push(Remark::setting(
                "index",
                "no index has the server delete what has expired, which takes room for ever",
                "leave make_index=false out, or have the index made that docs/guide/mongodb.md shows",
            ));
        }
        Ok(Report {
            facts: vec![
                ("version", format!("mongodb {version}").into()),
                ("bytes", count(&sized, "totalSize").into()),
                ("documents", count(&sized, "count").into()),
                (
                    "replicated",
                    if met.is_replicated { "yes" } else { "no" }.into(),
                ),
            ],
            remarks,
        })
    }

    /// What the collection takes; nothing where it is not there yet, or this user may not look.
    async fn sizes(&self) -> Document {
        let rows = self.rows(doc! {
            "aggregate": &self.config.collection,
            "pipeline": [{ "$collStats": { "storageStats": {} } }],
            "cursor": {},
        });
        let rows = rows.await.unwrap_or_default();
        let sized = rows
            .first()
            .and_then(|row| row.get_document("storageStats").ok());
        sized
            .and_then(|sized| Document::try_from(sized).ok())
            .unwrap_or_default()
    }
}

impl Health for MongoDb {
    fn deadline(&self) -> Option<Duration> {
        self.link.config.timeout
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        self.later(move |server| async move { server.report(is_full).await })
    }
}
