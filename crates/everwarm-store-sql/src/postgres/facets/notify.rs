//! What others changed: notifications of the database, each sent with the step that it tells of.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::mac::Mac;
use everwarm_core::store::{Answer, Messages, Notify};

use crate::postgres::Postgres;

impl Notify for Postgres {
    fn change(&self) -> u64 {
        self.link.hearing().change()
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        Answer::done(self.link.hearing().messages(after))
    }

    fn silence(&self) -> Duration {
        self.link.hearing().silence()
    }

    fn failovers(&self) -> u64 {
        self.link.dialer().met.failovers()
    }

    fn authenticate(&self, mac: &Arc<dyn Mac>) {
        self.link.trust().get_or_init(|| Arc::clone(mac));
    }

    fn refused(&self) -> u64 {
        self.link.hearing().teller.refused()
    }
}
