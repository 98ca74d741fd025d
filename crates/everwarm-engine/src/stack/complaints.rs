//! Complaints: failures that do not pass by themselves, of which each kind is told once.

use everwarm_core::store::{Failure, FailureKind};

use crate::shim::Mutex;

/// What a tier complains of. What was told is remembered by its kind.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<Vec<(FailureKind, Option<String>)>>);

impl Complaints {
    /// Notes a failure that somebody has to do something about, unless one of its kind was noted before.
    pub(super) fn note(&self, failure: &Failure) {
        use FailureKind::{Closed, Timeout, Transient};
        if matches!(failure.kind, Transient | Timeout | Closed) {
            return;
        }
        let mut noted = self.0.lock();
        if noted.iter().all(|(kind, _)| *kind != failure.kind) {
            noted.push((failure.kind, Some(failure.to_string())));
        }
    }

    /// Those that were not told yet.
    pub(super) fn take(&self) -> Vec<String> {
        let mut noted = self.0.lock();
        noted
            .iter_mut()
            .filter_map(|(_, said)| said.take())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_that_lasts_is_told_once() {
        let complaints = Complaints::default();
        let fails = |kind| complaints.note(&Failure::new(kind, "it failed", "do something"));
        fails(FailureKind::Transient);
        fails(FailureKind::Timeout);
        assert_eq!(complaints.take(), [""; 0]);
        fails(FailureKind::Capacity);
        fails(FailureKind::Capacity);
        assert_eq!(complaints.take(), ["it failed\nhint: do something"]);
        fails(FailureKind::Capacity);
        fails(FailureKind::Authentication);
        assert_eq!(complaints.take().len(), 1);
    }
}
