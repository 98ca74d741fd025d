//! What a memory store with one fault says of itself.

use everwarm_conformance::wait;
use everwarm_core::health::Report;
use everwarm_core::store::{Answer, Health, Store};

use super::faulty::{Fault, Faulty, now};

impl Health for Faulty {
    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        if self.has(Fault::OutlivesItself) {
            return Answer::done(Report::default());
        }
        now(|| {
            let health = self.inner.health().expect("it says something of itself");
            let mut report = wait(health.report(is_full))?;
            if self.has(Fault::SaysItTwice) {
                report.facts.extend(report.facts.clone());
            }
            if self.has(Fault::LooksAway) && is_full {
                report.facts.clear();
            }
            if self.has(Fault::LooksByWriting) {
                let names = self.seen().names.clone();
                for name in names {
                    wait(self.set(&name, "alive".into(), None))?;
                }
            }
            Ok(report)
        })
    }
}
