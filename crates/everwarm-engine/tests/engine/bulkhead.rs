//! How many computations run at once: permits come back, nobody is overlooked, and no circle is waited in.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use everwarm_engine::{Bulkhead, Caller, LeadId, Line, Permit};

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rang(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn bulkhead(most: usize) -> Arc<Bulkhead> {
    Bulkhead::new(NonZeroUsize::new(most).expect("at least one"))
}

/// A lead that no cache numbers.
fn lead_of(number: u64) -> LeadId {
    LeadId(1 << 62 | number)
}

/// Who computes for this lead alone, as a task does.
fn enter(bulkhead: &Arc<Bulkhead>, lead: u64) -> Result<Permit, Line> {
    let chain = [lead_of(lead)];
    let caller = Caller {
        chain: &chain,
        ..Caller::default()
    };
    bulkhead.enter(lead_of(lead), &caller)
}

fn again(line: &mut Line, lead: u64) -> Option<Permit> {
    let chain = [lead_of(lead)];
    line.try_enter(&Caller {
        chain: &chain,
        ..Caller::default()
    })
}

fn ring(line: &mut Line) -> Arc<Bell> {
    let bell = Arc::new(Bell::default());
    line.register(Waker::from(Arc::clone(&bell)));
    bell
}

#[test]
fn no_more_than_that_many_enter_and_each_end_lets_one_in() {
    let bulkhead = bulkhead(2);
    let first = enter(&bulkhead, 1).expect("free");
    let second = enter(&bulkhead, 2).expect("free");
    let mut third = enter(&bulkhead, 3).expect_err("two run");
    let mut fourth = enter(&bulkhead, 4).expect_err("two run");
    let bells = [ring(&mut third), ring(&mut fourth)];
    assert_eq!(bells.each_ref().map(|bell| bell.rang()), [0, 0]);
    assert!(again(&mut third, 3).is_none());
    drop(first);
    assert_eq!(bells.each_ref().map(|bell| bell.rang()), [1, 0]);
    let third = again(&mut third, 3).expect("one has left");
    assert!(again(&mut fourth, 4).is_none());
    drop((second, third));
    assert_eq!(bells.each_ref().map(|bell| bell.rang()), [1, 1]);
    drop(again(&mut fourth, 4).expect("free"));
    assert_eq!(bulkhead.running(), 0);
}

#[test]
fn who_waits_is_not_overtaken() {
    let bulkhead = bulkhead(1);
    let first = enter(&bulkhead, 1).expect("free");
    let mut lines: Vec<Line> = (2..4)
        .map(|lead| enter(&bulkhead, lead).expect_err("one runs"))
        .collect();
    let bells: Vec<_> = lines.iter_mut().map(ring).collect();
    drop(first);
    assert_eq!(bells[0].rang(), 1);
    assert!(enter(&bulkhead, 4).is_err(), "others are in the line");
    assert!(again(&mut lines[0], 2).is_some());
}

#[test]
fn who_is_called_and_goes_away_calls_the_next() {
    let bulkhead = bulkhead(1);
    let first = enter(&bulkhead, 1).expect("free");
    let mut second = enter(&bulkhead, 2).expect_err("one runs");
    let mut third = enter(&bulkhead, 3).expect_err("one runs");
    let bells = [ring(&mut second), ring(&mut third)];
    drop(first);
    drop(second);
    assert_eq!(bells.map(|bell| bell.rang()), [1, 1]);
    assert!(again(&mut third, 3).is_some());
}

#[test]
fn who_goes_away_before_being_called_is_forgotten() {
    let bulkhead = bulkhead(1);
    let first = enter(&bulkhead, 1).expect("free");
    let mut second = enter(&bulkhead, 2).expect_err("one runs");
    let bell = ring(&mut second);
    drop(second);
    drop(first);
    assert_eq!(bell.rang(), 0);
    assert!(enter(&bulkhead, 3).is_ok());
}

#[test]
fn a_permit_that_came_free_before_the_registration_is_seen() {
    let bulkhead = bulkhead(1);
    let first = enter(&bulkhead, 1).expect("free");
    let mut second = enter(&bulkhead, 2).expect_err("one runs");
    drop(first);
    assert_eq!(ring(&mut second).rang(), 1);
    assert!(again(&mut second, 2).is_some());
}

#[test]
fn many_threads_never_exceed_the_bound() {
    let bulkhead = bulkhead(3);
    let most = AtomicUsize::new(0);
    let now = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (bulkhead, most, now) = (&bulkhead, &most, &now);
            scope.spawn(move || {
                for round in 0..500 {
                    let lead = thread * 1_000 + round;
                    let permit = match enter(bulkhead, lead) {
                        Ok(permit) => permit,
                        Err(mut line) => {
                            let parker = everwarm_engine::Parker::new();
                            loop {
                                line.register(parker.waker());
                                if let Some(permit) = again(&mut line, lead) {
                                    break permit;
                                }
                                parker.park(std::time::Duration::from_millis(500));
                            }
                        }
                    };
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert!(most.into_inner() <= 3);
    assert_eq!(bulkhead.running(), 0);
}
