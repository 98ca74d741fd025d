//! Races explored: each check runs under a thousand and more schedules that a seeded scheduler draws, and the same checks
//! find the faults that are planted in an engine made for it.

#[allow(dead_code, reason = "it uses a part")]
mod support;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::draw::FixedDraw;
use everwarm_core::policy::Policy;
use everwarm_engine::{Arrival, Ask, Cache, Caller, Fault, LeadId, Settle, Turn};
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;
use support::{World, names, settle};

const SCHEDULES: usize = 1_000;
/// How many ill-timed switches a race may need, for the scheduler that looks for such (PCT, Burckhardt et al. 2010).
const SWITCHES: usize = 4;

/// A source of truth with a version, cached under one key, and the least version that callers may still see.
struct Scene {
    world: World<u64>,
    version: AtomicU64,
    least: AtomicU64,
    computing: AtomicU64,
    /// Computations that are still to be abandoned.
    abandon: AtomicU64,
}

impl Scene {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            world: World::with(100, |bounds, ticker| {
                Cache::with_fault(bounds, ticker, fault)
            }),
            version: AtomicU64::new(1),
            least: AtomicU64::new(1),
            computing: AtomicU64::new(0),
            abandon: AtomicU64::new(0),
        })
    }

    /// One caller: no value it gets is older than the last invalidation that returned before the call.
    fn call(&self) -> u64 {
        let least = self.least.load(Ordering::SeqCst);
        let value = self.call_in(1, &[], |_| self.version.load(Ordering::SeqCst));
        assert!(
            value >= least,
            "version {value} was served after {least} was invalidated for"
        );
        value
    }

    /// The driver. Entries carry one tag from the arguments and one from the result.
    fn call_in(&self, name: u64, chain: &[LeadId], compute: impl Fn(LeadId) -> u64) -> u64 {
        let world = &self.world;
        if let Some(value) = world.hit(name) {
            return value;
        }
        let (key, argument, result) = (world.key(name), names(&["argument"]), names(&["result"]));
        let mut ask = world.ask(
            &key,
            &argument,
            Caller {
                chain,
                ..Caller::default()
            },
        );
        loop {
            match world.cache.begin(ask).expect("no wait for itself") {
                Turn::Hit(value) | Turn::Stale(value) => return value,
                Turn::HitAndLead(value, _, lead) => {
                    drop(lead);
                    return value;
                }
                Turn::Remembered(_) => unreachable!("no error is remembered"),
                Turn::Lead(lead) => {
                    if self.abandoned() {
                        drop(lead);
                        ask.again = true;
                        continue;
                    }
                    let value = compute(lead.id());
                    lead.settle(value, settle(&result));
                    return value;
                }
                Turn::Alone(lead) => {
                    let value = compute(lead.id());
                    lead.settle(value, Settle::default());
                    return value;
                }
                Turn::Wait(mut ticket) => {
                    let arrival = block_on(poll_fn(|context| {
                        ticket.register(context.waker().clone());
                        ticket.try_arrive().map_or(Poll::Pending, Poll::Ready)
                    }));
                    match arrival {
                        Arrival::Value(value) | Arrival::Stale(value) => return value,
                        Arrival::Failed(error) => panic!("{error}"),
                        Arrival::Again => ask = Ask { again: true, ..ask },
                    }
                }
            }
        }
    }

    fn abandoned(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.abandon
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
    }
}

fn explore(check: impl Fn() + Send + Sync + 'static) {
    let check = Arc::new(check);
    shuttle::check_random(
        {
            let check = Arc::clone(&check);
            move || check()
        },
        SCHEDULES,
    );
    shuttle::check_pct(move || check(), SCHEDULES, SWITCHES);
}

fn finds(check: impl Fn() + Send + Sync + 'static) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        shuttle::check_random(check, 20 * SCHEDULES)
    }))
    .is_err()
}

/// Callers on two threads while a third changes the source and then says so by `verb`; the race is with those who compute,
/// or with those who hit an entry that is there before.
fn invalidated(fault: Fault, filled: bool, verb: fn(&Scene)) {
    let scene = Scene::new(fault);
    if filled {
        scene.call();
    }
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                scene.call();
                scene.call();
            })
        })
        .collect();
    scene.version.store(2, Ordering::SeqCst);
    verb(&scene);
    scene.least.store(2, Ordering::SeqCst);
    assert_eq!(scene.call(), 2);
    for caller in callers {
        caller.join().expect("a caller ends");
    }
    assert_eq!(scene.call(), 2);
    scene.world.cache.check();
    assert_eq!(scene.world.cache.totals().calls(), 6 + u64::from(filled));
}

/// A caller who is given an old value and computes it anew behind that, while the source changes and then says so by `verb`: what is
/// computed from before the change is not there after.
fn refreshed_behind(fault: Fault, verb: fn(&Scene)) {
    const SECOND: Duration = Duration::from_secs(1);
    let scene = Scene::new(fault);
    let policy = Policy {
        ttl: Some(SECOND),
        stale_while_revalidate: Some(100 * SECOND),
        ..Policy::default()
    };
    let lead = scene.world.lead_with(1, &["argument"]);
    let written = Settle {
        lifetime: policy.lifetime(scene.world.cache.now(), Duration::ZERO, &FixedDraw(0.0)),
        tags: &names(&["result"]),
        ..Settle::default()
    };
    assert!(lead.settle(1, written).stored);
    scene.world.hand.advance(2 * SECOND);
    let caller = thread::spawn({
        let scene = Arc::clone(&scene);
        move || {
            let least = scene.least.load(Ordering::SeqCst);
            let turn = scene.world.begin_with(1, &["argument"], Caller::default());
            let lead = match turn {
                Turn::HitAndLead(value, _, lead) => {
                    assert!(value >= least, "an old value was served");
                    lead
                }
                Turn::Lead(lead) => lead,
                _ => return,
            };
            let value = scene.version.load(Ordering::SeqCst);
            lead.settle(value, settle(&names(&["result"])));
        }
    });
    scene.version.store(2, Ordering::SeqCst);
    verb(&scene);
    scene.least.store(2, Ordering::SeqCst);
    assert_eq!(scene.call(), 2);
    caller.join().expect("the caller ends");
    assert_eq!(scene.call(), 2);
    scene.world.cache.check();
}

fn wins(verb: fn(&Scene)) {
    explore(move || invalidated(Fault::None, false, verb));
    explore(move || invalidated(Fault::None, true, verb));
}

fn delete(scene: &Scene) {
    scene.world.delete(1);
}

fn put(scene: &Scene) {
    scene.world.put_with(1, 2, Instant::NEVER, &[]);
}

fn clear(scene: &Scene) {
    scene.world.cache.clear();
}

fn clear_scope(scene: &Scene) {
    scene.world.cache.clear_scope(&scene.world.scope);
}

fn tag_from_arguments(scene: &Scene) {
    scene.world.invalidate("argument");
}

fn tag_from_result(scene: &Scene) {
    scene.world.invalidate("result");
}

#[test]
fn three_threads_one_computation() {
    explore(|| {
        let scene = Scene::new(Fault::None);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || {
                    scene.call_in(1, &[], |_| {
                        assert_eq!(
                            scene.computing.fetch_add(1, Ordering::SeqCst),
                            0,
                            "one at a time"
                        );
                        scene.computing.fetch_sub(1, Ordering::SeqCst);
                        7
                    })
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.join().expect("a caller ends"), 7);
        }
        let stats = scene.world.cache.totals();
        assert_eq!(
            (stats.computations, stats.calls(), stats.misses),
            (1, 3, 1 + stats.followers)
        );
    });
}

#[test]
fn a_leader_that_leaves_hangs_nobody() {
    explore(|| {
        let scene = Scene::new(Fault::None);
        scene.abandon.store(2, Ordering::SeqCst);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || scene.call())
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.join().expect("a caller ends"), 1);
        }
        let stats = scene.world.cache.totals();
        assert_eq!((stats.computations, stats.calls()), (3, 3));
    });
}

#[test]
fn a_late_leader_and_the_one_who_took_over() {
    explore(|| {
        let scene = Scene::new(Fault::None);
        let late = scene.world.lead(1);
        let ticket = scene.world.ticket(1);
        let follower = thread::spawn({
            let scene = Arc::clone(&scene);
            move || scene.call()
        });
        let settler = thread::spawn(move || late.settle(1, Settle::default()).stored);
        ticket.take_over();
        assert_eq!(scene.call(), 1);
        assert_eq!(follower.join().expect("the follower ends"), 1);
        let stored = settler.join().expect("the late leader ends");
        let takeovers = scene.world.cache.totals().takeovers;
        assert!(
            takeovers <= 1 && (stored || takeovers == 1),
            "either the value was kept or it was late"
        );
        scene.world.cache.check();
    });
}

#[test]
fn a_circle_of_two_keys_ends() {
    explore(|| {
        let scene = Scene::new(Fault::None);
        let callers = [(1, 2), (2, 1)].map(|(outer, inner)| {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                scene.call_in(outer, &[], |lead| 10 + scene.call_in(inner, &[lead], |_| 1));
            })
        });
        for caller in callers {
            caller.join().expect("a caller ends");
        }
        assert!(scene.world.cache.totals().cycles <= 1);
    });
}

#[test]
fn delete_wins() {
    wins(delete);
}

#[test]
fn put_wins() {
    wins(put);
}

#[test]
fn clear_wins() {
    wins(clear);
}

#[test]
fn clear_scope_wins() {
    wins(clear_scope);
}

#[test]
fn a_tag_from_arguments_wins() {
    wins(tag_from_arguments);
}

#[test]
fn a_tag_from_the_result_wins() {
    wins(tag_from_result);
}

#[test]
fn a_tag_from_the_result_wins_though_it_is_invalidated_again() {
    explore(|| {
        let scene = Scene::new(Fault::None);
        let lead = scene.world.lead_with(1, &["argument"]);
        scene.version.store(2, Ordering::SeqCst);
        let settler = thread::spawn(move || lead.settle(1, settle(&names(&["result"]))).stored);
        let caller = thread::spawn({
            let scene = Arc::clone(&scene);
            move || scene.call()
        });
        scene.world.invalidate("result");
        scene.least.store(2, Ordering::SeqCst);
        scene.world.invalidate("result");
        caller.join().expect("the caller ends");
        settler.join().expect("the settler ends");
        assert_eq!(scene.call(), 2);
    });
}

#[test]
fn a_number_published_before_its_markers_is_found() {
    assert!(finds(|| invalidated(
        Fault::NumberFirst,
        true,
        tag_from_arguments
    )));
}

#[test]
fn a_doomed_value_that_is_kept_is_found() {
    assert!(finds(|| invalidated(Fault::KeepDoomed, false, delete)));
}

#[test]
fn an_old_value_that_is_refreshed_behind_never_comes_back() {
    for verb in [
        delete,
        put,
        clear,
        clear_scope,
        tag_from_arguments,
        tag_from_result,
    ] {
        explore(move || refreshed_behind(Fault::None, verb));
    }
}

#[test]
fn a_doomed_refresh_that_is_kept_is_found() {
    assert!(finds(|| refreshed_behind(Fault::KeepDoomed, delete)));
}
