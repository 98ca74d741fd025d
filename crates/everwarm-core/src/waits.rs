//! Who waits for whom among leads, so that a wait that could never end is not begun.
//!
//! A lead waits for another when a call inside its computation follows the other's flight. Computations that wait for
//! each other in a circle would wait for ever; before a follower begins to wait, the circle is looked for, and in the
//! same step (under one lock of the owner's) the wait is added.

use std::collections::BTreeMap;

use crate::flight::LeadId;

/// The waits of a process.
///
/// ```
/// use everwarm_core::flight::LeadId;
/// use everwarm_core::waits::Waits;
///
/// let mut waits = Waits::default();
/// waits.add(&[LeadId(1)], LeadId(2));
/// assert!(waits.would_cycle(&[LeadId(2)], LeadId(1)));
/// waits.remove(&[LeadId(1)], LeadId(2));
/// assert!(!waits.would_cycle(&[LeadId(2)], LeadId(1)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// For each lead that waits, those it waits for: one more for each call that does.
    targets: BTreeMap<LeadId, Vec<LeadId>>,
}

impl Waits {
    /// Whether a circle would close if all of `waiting` waited for `target`.
    #[must_use]
    pub fn would_cycle(&self, waiting: &[LeadId], target: LeadId) -> bool {
        if waiting.is_empty() {
            return false;
        }
        let mut reached = vec![target];
        let mut looked_at = 0;
        while let Some(lead) = reached.get(looked_at).copied() {
            if waiting.contains(&lead) {
                return true;
            }
            looked_at += 1;
            for next in self.targets.get(&lead).into_iter().flatten() {
                if !reached.contains(next) {
                    reached.push(*next);
                }
            }
        }
        false
    }

    /// Each of `waiting` waits for `target`, once more.
    pub fn add(&mut self, waiting: &[LeadId], target: LeadId) {
        for lead in waiting {
            self.targets.entry(*lead).or_default().push(target);
        }
    }

    /// Each of `waiting` waits for `target` once less; a wait that is not there is no matter.
    pub fn remove(&mut self, waiting: &[LeadId], target: LeadId) {
        for lead in waiting {
            let Some(targets) = self.targets.get_mut(lead) else {
                continue;
            };
            if let Some(place) = targets.iter().position(|other| *other == target) {
                targets.swap_remove(place);
            }
            if targets.is_empty() {
                self.targets.remove(lead);
            }
        }
    }

    /// Forgets all waits, as a forked child does with its parent's.
    pub fn clear(&mut self) {
        self.targets.clear();
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}
