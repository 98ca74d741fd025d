//! Tags under which nothing is stored for a while.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Suspend};

use crate::postgres::Postgres;

impl Suspend for Postgres {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        Answer::later(self.strike((namespace, tags), Some(span), false))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.strike((namespace, tags), None, true))
    }
}
