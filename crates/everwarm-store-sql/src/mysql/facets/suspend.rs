//! Tags under which nothing is stored for a while.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Suspend};

use super::generations::Strike;
use crate::mysql::Mysql;

impl Suspend for Mysql {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        Answer::later(self.strike(namespace, tags, Strike::Suspend(span)))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.strike(namespace, tags, Strike::Resume))
    }
}
