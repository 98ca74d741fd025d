//! The graph of waits beside a naive model: a list of edges, and reachability by closure.

use everwarm_core::flight::LeadId;
use everwarm_core::waits::Waits;
use proptest::collection::{hash_set, vec};
use proptest::prelude::*;

const LEADS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<LeadId>, LeadId),
    RemoveEarlier(usize),
    RemoveAny(Vec<LeadId>, LeadId),
    Clear,
}

#[derive(Default)]
struct Model {
    edges: Vec<(LeadId, LeadId)>,
}

impl Model {
    fn remove(&mut self, waiting: &[LeadId], target: LeadId) {
        for lead in waiting {
            if let Some(place) = self.edges.iter().position(|edge| *edge == (*lead, target)) {
                self.edges.remove(place);
            }
        }
    }

    /// Warshall's closure, then a look whether the target reaches one of those that would wait.
    fn would_cycle(&self, waiting: &[LeadId], target: LeadId) -> bool {
        let place = |lead: LeadId| usize::try_from(lead.0).unwrap();
        let mut reach = [[false; LEADS]; LEADS];
        for (from, to) in &self.edges {
            reach[place(*from)][place(*to)] = true;
        }
        for via in 0..LEADS {
            for from in 0..LEADS {
                for to in 0..LEADS {
                    reach[from][to] |= reach[from][via] && reach[via][to];
                }
            }
        }
        waiting
            .iter()
            .any(|lead| *lead == target || reach[place(target)][place(*lead)])
    }
}

fn lead() -> impl Strategy<Value = LeadId> {
    (0..LEADS as u64).prop_map(LeadId)
}

fn chain() -> BoxedStrategy<Vec<LeadId>> {
    hash_set(lead(), 0..4)
        .prop_map(|leads| leads.into_iter().collect())
        .boxed()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (chain(), lead()).prop_map(|(waiting, target)| Step::Add(waiting, target)),
        3 => any::<usize>().prop_map(Step::RemoveEarlier),
        1 => (chain(), lead()).prop_map(|(waiting, target)| Step::RemoveAny(waiting, target)),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn circles_are_found_exactly(steps in vec(step(), 1..40), waiting in chain(), target in lead()) {
        let (mut waits, mut model) = (Waits::default(), Model::default());
        let mut added: Vec<(Vec<LeadId>, LeadId)> = Vec::new();
        for step in steps {
            match step {
                Step::Add(waiting, target) => {
                    waits.add(&waiting, target);
                    model.edges.extend(waiting.iter().map(|lead| (*lead, target)));
                    added.push((waiting, target));
                }
                Step::RemoveEarlier(which) if !added.is_empty() => {
                    let (waiting, target) = added.swap_remove(which % added.len());
                    waits.remove(&waiting, target);
                    model.remove(&waiting, target);
                }
                Step::RemoveEarlier(_) => {}
                Step::RemoveAny(waiting, target) => {
                    waits.remove(&waiting, target);
                    model.remove(&waiting, target);
                }
                Step::Clear => {
                    waits.clear();
                    model.edges.clear();
                }
            }
            prop_assert_eq!(waits.would_cycle(&waiting, target), model.would_cycle(&waiting, target));
            prop_assert_eq!(waits.is_empty(), model.edges.is_empty());
        }
    }

    #[test]
    fn waits_that_were_checked_never_close_a_circle(asked in vec((chain(), lead()), 1..40)) {
        let (mut waits, mut model) = (Waits::default(), Model::default());
        for (waiting, target) in asked {
            if !waits.would_cycle(&waiting, target) {
                waits.add(&waiting, target);
                model.edges.extend(waiting.iter().map(|lead| (*lead, target)));
            }
        }
        for (from, to) in model.edges.clone() {
            prop_assert!(!model.would_cycle(&[from], to), "{from:?} waits for {to:?} in a circle");
        }
    }
}

#[test]
fn a_lead_that_follows_itself_is_a_circle_and_a_call_outside_any_is_none() {
    let waits = Waits::default();
    assert!(waits.would_cycle(&[LeadId(1)], LeadId(1)));
    assert!(!waits.would_cycle(&[], LeadId(1)));
}

#[test]
fn two_calls_of_one_lead_wait_twice() {
    let mut waits = Waits::default();
    waits.add(&[LeadId(1)], LeadId(2));
    waits.add(&[LeadId(1)], LeadId(2));
    waits.remove(&[LeadId(1)], LeadId(2));
    assert!(waits.would_cycle(&[LeadId(2)], LeadId(1)));
    waits.remove(&[LeadId(1)], LeadId(2));
    assert!(waits.is_empty());
}
