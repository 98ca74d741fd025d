//! A store that gives no answer holds no verb of a stack longer than the time limit in front of it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, FailureKind};
use everwarm_core::using::Read;
use everwarm_engine::stack::{Done, Fetched};
use everwarm_engine::{ManualHand, Ticker};
use everwarm_layers::{Layered, Timeout, Timer};

use crate::tiers::shelf::{Facets, yields};
use crate::tiers::{Host, Process, SECOND, meta, place, tags, wait};

const LIMIT: Duration = Duration::from_millis(50);

/// Gives no answer, while it is told so.
#[derive(Clone, Default)]
struct Silent(Arc<AtomicBool>);

impl Layer for Silent {
    fn around<'a, T: Send + 'a>(
        &'a self,
        _: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        match self.0.load(Ordering::Relaxed) {
            true => Answer::later(pending()),
            false => attempt(),
        }
    }
}

/// Passes the time by moving the clock.
struct Hand(ManualHand);

impl Timer for Hand {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            yields(1).await;
            self.0.advance(span);
        })
    }
}

/// A process with the limit in front of one tier, and what silences that.
fn limited(host: &Host, tier: usize) -> (Process, Silent) {
    let silent = Silent::default();
    let process = host.process_with(Facets::All, |tiers| {
        let slow = Layered::new(Arc::clone(&tiers[tier].store), silent.clone());
        let timeout = Timeout::new(Hand(host.hand.clone()), LIMIT);
        tiers[tier].store = Arc::new(Layered::new(slow, timeout));
    });
    (process, silent)
}

fn timeouts(process: &Process, tier: usize) -> u64 {
    let errors = &process.stack.stats()[tier].errors;
    let of_time = errors
        .iter()
        .filter(|(kind, _)| *kind == FailureKind::Timeout);
    of_time.map(|(_, count)| count).sum()
}

#[test]
fn a_silent_tier_costs_each_verb_its_limits_and_fails_none() {
    for tier in 0..2 {
        let host = Host::new(2);
        let ticker = Ticker::frozen_by(&host.hand);
        let (one, silent) = limited(&host, tier);
        one.fill("k", "old", &["t"]);
        silent.0.store(true, Ordering::Relaxed);
        let mut counted = timeouts(&one, tier);
        let mut verb = |name: &str, ask: &dyn Fn()| {
            let before = ticker.now();
            ask();
            let took = ticker.now().since(before);
            assert!(took <= 6 * LIMIT, "tier {tier}, {name}: held for {took:?}");
            let now = timeouts(&one, tier);
            assert!(now > counted, "tier {tier}, {name}: not counted");
            counted = now;
        };
        verb("fetch and settle", &|| {
            if let Fetched::Lead(seat) = one.fetch("m", &["t"]) {
                one.settle(seat, "new", &["t"]);
            }
        });
        verb("get", &|| {
            wait(one.stack.get(place("k"), tags(&["t"]), Read::Any));
        });
        verb("set", &|| {
            wait(one.stack.set(place("n"), "v".into(), meta(&["t"])));
        });
        verb("delete", &|| {
            wait(one.stack.delete(place("k")));
        });
        silent.0.store(false, Ordering::Relaxed);
        for _ in 0..10 {
            host.hand.advance(SECOND);
            wait(one.stack.watch());
        }
        assert!(one.found("k", &["t"]).is_none(), "tier {tier}: deleted");
        assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Now);
        one.fill("k", "again", &["t"]);
        assert_eq!(one.value("k"), Some("again".into()), "tier {tier}");
    }
}
