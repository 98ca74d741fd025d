//! Runs of nodes over a shared store and a bus: no seed shows anything wrong, and each planted fault shows.

use std::time::{Duration, Instant};

use everwarm_nodes::history::{Event, From, Incident, Right, What};
use everwarm_nodes::{Fault, play};

/// Among how many seeds a fault is looked for.
const ENOUGH: u64 = 4_000;

/// How many seeds are played, in CI too, unless it is said.
fn seeds() -> u64 {
    let asked = std::env::var("EVERWARM_SEEDS").ok();
    asked.map_or(2_000, |number| number.parse().expect("a number"))
}

#[test]
fn no_seed_shows_anything_wrong() {
    for seed in 0..seeds() {
        let run = play(seed, None);
        if let Some(wrong) = run.wrong.first() {
            let events = run.history.iter().map(|event| format!("{event}\n"));
            let history: String = events.collect();
            panic!("seed {seed}, {:?}\n{history}{wrong}", run.weather);
        }
    }
}

fn finds(fault: Fault) {
    let began = Instant::now();
    let found = (0..ENOUGH).any(|seed| !play(seed, Some(fault)).wrong.is_empty());
    assert!(found, "{fault:?} was not found");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{fault:?} took {took:?}");
}

#[test]
fn every_planted_fault_is_found() {
    Fault::ALL.into_iter().for_each(finds);
}

#[test]
fn a_seed_is_one_run() {
    for seed in 0..30 {
        let (first, second) = (play(seed, None), play(seed, None));
        assert_eq!(first.history, second.history, "seed {seed}");
    }
}

/// What a run has to have seen, lest it proves nothing.
fn kinds(event: &Event) -> Option<&'static str> {
    Some(match event.what {
        What::CallReturned(.., From::Memory) => "a hit in memory",
        What::CallReturned(.., From::Tier(0)) => "a hit in the first tier",
        What::CallReturned(.., From::Tier(_)) => "a hit in the last tier",
        What::CallReturned(.., From::Leader) => "a follower",
        What::CallReturned(.., From::Computed) => "a leader",
        What::ComputationBegan(_, _, Right::Apart, _) => "a computation without the lease",
        What::UndoingReturned(_, false) => "an invalidation that is pending",
        What::SetReturned(_, false) => "a set that failed",
        What::ChangeReturned(_, Some(true)) => "a change in place",
        What::ChangeReturned(_, Some(false)) => "a change of what others had changed",
        What::Disturbed(incident, _) => match incident {
            Incident::BusCut { noticed: true, .. } => "a noticed break of the bus",
            Incident::BusCut { noticed: false, .. } => "a silent break of the bus",
            Incident::LinkCut(_) => "a node cut off from the store",
            Incident::Isolated(_) => "a node cut off from everything",
            Incident::Slow => "a slow store",
            Incident::Kill(_) => "a killed node",
            Incident::Restart => "a restarted store",
            Incident::MarkersLost => "lost markers",
            Incident::Forged { .. } => "a forged message",
            Incident::Failover(_) => "a failover",
        },
        _ => return None,
    })
}

#[test]
fn the_seeds_see_everything() {
    let mut seen: Vec<&str> = (0..100)
        .flat_map(|seed| play(seed, None).history)
        .filter_map(|event| kinds(&event))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 20, "{seen:?}");
}
