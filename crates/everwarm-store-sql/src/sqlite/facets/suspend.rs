//! Tags under which nothing is stored for a while.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Suspend};

use super::generations::Besides;
use crate::sqlite::Sqlite;

impl Suspend for Sqlite {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        self.strike(namespace, tags, Besides::Suspends(span))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.strike(namespace, tags, Besides::Resumes)
    }
}
