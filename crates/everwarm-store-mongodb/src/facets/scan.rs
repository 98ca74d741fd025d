//! The names, in the order of their characters.

use everwarm_core::store::{Answer, Page, Scan};

use crate::store::{MongoDb, range};

impl Scan for MongoDb {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.later(move |server| {
            let limit = limit.clamp(1, 10_000);
            let mut ids = range(prefix);
            if let Some(after) = after {
                ids.insert("$gt", after);
            }
            async move { server.page(ids, limit).await }
        })
    }
}
