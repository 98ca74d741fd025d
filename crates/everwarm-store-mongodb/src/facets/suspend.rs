//! Tags under which nothing is stored for a while.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Suspend};

use crate::shards::{Parts, Step};
use crate::store::MongoDb;

impl Suspend for MongoDb {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        self.struck(Parts::new(namespace, tags), Step::Suspend(span))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.struck(Parts::new(namespace, tags), Step::Resume)
    }
}
