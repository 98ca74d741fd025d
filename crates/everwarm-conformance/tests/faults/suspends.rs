//! Suspensions of a memory store with one fault.

use std::time::Duration;

use everwarm_conformance::wait;
use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Store, Suspend};

use super::faulty::{EVER, Fault, Faulty, now};

impl Faulty {
    pub(crate) fn suspends(&self) -> &dyn Suspend {
        self.inner.suspending().expect("it can suspend")
    }

    /// Whether it suspended one of the tags itself.
    pub(crate) fn is_suspended(&self, tags: &[Tag]) -> bool {
        let seen = self.seen();
        tags.iter().any(|tag| seen.suspended.contains(tag))
    }
}

impl Suspend for Faulty {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        if self.has(Fault::SuspendsNothing) {
            return self.numbers().begin(namespace, tags, None);
        }
        if self.has(Fault::SuspendsForAMoment) {
            return self.numbers().invalidate(namespace, tags);
        }
        if self.has(Fault::ResumesQuietly) {
            self.seen().suspended.extend(tags);
            return self.numbers().invalidate(namespace, tags);
        }
        now(|| {
            let span = match self.has(Fault::SuspendsForEver) {
                true => EVER,
                false => span,
            };
            if self.has(Fault::LastSpanCounts) {
                wait(self.suspends().resume(namespace, tags))?;
            }
            let mut told = wait(self.suspends().suspend(namespace, tags, span))?;
            if self.has(Fault::TellsOldMarkers) {
                for marker in told.markers.iter_mut().flatten() {
                    marker.number -= 2;
                }
            }
            Ok(told)
        })
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        if self.has(Fault::ResumesQuietly) {
            self.seen().suspended.retain(|tag| !tags.contains(tag));
            return self.numbers().read(namespace, tags);
        }
        now(|| {
            if self.has(Fault::ResumesAtOnce) {
                wait(self.suspends().resume(namespace, tags))?;
            }
            wait(self.suspends().resume(namespace, tags))
        })
    }
}
