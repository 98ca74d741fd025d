//! Threads that meet in a layer, over a thousand random schedules each: `cargo test --features shuttle --test schedules`.
#![cfg(feature = "shuttle")]

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc as Plain;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwarm_core::breaker::{State, Terms};
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::draw::FixedDraw;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind};
use everwarm_layers::{Berths, Breaker, Bulkhead, Timer};
use shuttle::future::block_on;
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use shuttle::{check_random, thread};

const SCHEDULES: usize = 2_000;

/// Nothing is ever over: a wake-up that is lost is a schedule that never ends, which the explorer finds.
struct Never;

impl Timer for Never {
    fn after(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(pending())
    }
}

/// Looks at an answer once, and walks away.
fn glance<T>(answer: Answer<'_, T>) {
    let mut answer = pin!(answer);
    let _ = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

/// An answer that comes when it is looked at a second time, counted while it is under way.
async fn answered(under_way: &AtomicUsize, most: usize) -> Result<(), Failure> {
    let before = under_way.fetch_add(1, Ordering::SeqCst);
    assert!(before < most, "{before} were under way");
    let mut is_first = true;
    std::future::poll_fn(move |context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
    under_way.fetch_sub(1, Ordering::SeqCst);
    Ok(())
}

#[test]
fn places_come_back_and_wake_who_waits_also_where_some_walk_away() {
    check_random(
        || {
            let berths = Berths {
                at_once: 1,
                waiting: 8,
                wait: Duration::MAX,
                longest: Duration::MAX,
            };
            let bulkhead = Arc::new(Bulkhead::new(
                berths,
                Plain::new(Never),
                Plain::new(Hand(AtomicU64::new(0))),
            ));
            let under_way = Arc::new(AtomicUsize::new(0));
            let mut threads: Vec<_> = (0..3)
                .map(|_| {
                    let (bulkhead, under_way) = (Arc::clone(&bulkhead), Arc::clone(&under_way));
                    thread::spawn(move || {
                        let answer = bulkhead.around(Verb::Read, 0, || {
                            let under_way = &*under_way;
                            Answer::later(answered(under_way, 1))
                        });
                        block_on(answer).expect("there is room to wait");
                    })
                })
                .collect();
            let bulkhead = Arc::clone(&bulkhead);
            threads.push(thread::spawn(move || {
                for _ in 0..2 {
                    glance(bulkhead.around(Verb::Read, 0, || Answer::<()>::later(pending())));
                }
            }));
            for thread in threads {
                thread.join().expect("it ends");
            }
        },
        SCHEDULES,
    );
}

/// A clock that the threads move.
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn a_half_open_breaker_lets_no_more_trials_through_than_it_may() {
    check_random(
        || {
            let terms = Terms {
                least: 1,
                trials: 2,
                ..Terms::of(Duration::from_millis(50))
            };
            let hand = Plain::new(Hand(AtomicU64::new(0)));
            let clock: Plain<dyn Clock> = hand.clone();
            let breaker = Breaker::new(terms, clock, Plain::new(FixedDraw(1.0)));
            let breaker = Arc::new(breaker);
            let failed = || Failure::new(FailureKind::Timeout, "what happened", "what to do");
            let _ = block_on(breaker.around(Verb::Read, 0, || Answer::<()>::failed(failed())));
            assert_eq!(breaker.state(), State::Open);
            hand.0.store(1_000_000_000, Ordering::SeqCst);
            let (under_way, good) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let threads: Vec<_> = (0..4)
                .map(|at| {
                    let (breaker, under_way, good) = (
                        Arc::clone(&breaker),
                        Arc::clone(&under_way),
                        Arc::clone(&good),
                    );
                    thread::spawn(move || {
                        if at == 0 {
                            // Walks away from its trial, which is given to another.
                            glance(breaker.around(
                                Verb::Read,
                                0,
                                || Answer::<()>::later(pending()),
                            ));
                            return;
                        }
                        let answer = breaker.around(Verb::Read, 0, || {
                            let under_way = &*under_way;
                            Answer::later(answered(under_way, 2))
                        });
                        if block_on(answer).is_ok() {
                            good.fetch_add(1, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("it ends");
            }
            // Who walked away may have had a place when the others asked; one of them got through at least.
            let good = good.load(Ordering::SeqCst);
            assert!(good >= 1);
            let expected = if good >= 2 {
                State::Closed
            } else {
                State::HalfOpen
            };
            assert_eq!(breaker.state(), expected);
        },
        SCHEDULES,
    );
}
