//! What others changed: messages in a table, each put there by the step that it tells of.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::mac::Mac;
use everwarm_core::store::{Answer, Messages, Notify};

use crate::mysql::Mysql;

impl Notify for Mysql {
    fn change(&self) -> u64 {
        self.link.here().hearing.change()
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        Answer::done(self.link.here().hearing.messages(after))
    }

    fn silence(&self) -> Duration {
        self.link.here().hearing.silence()
    }

    fn failovers(&self) -> u64 {
        self.dialer().met.failovers()
    }

    fn authenticate(&self, mac: &Arc<dyn Mac>) {
        self.link.here().trust.get_or_init(|| Arc::clone(mac));
    }

    fn refused(&self) -> u64 {
        self.link.here().hearing.teller.refused()
    }
}
