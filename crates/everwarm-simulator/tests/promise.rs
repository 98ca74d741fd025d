//! The promise of `adaptive`: about as good as the better of LRU and W-TinyLFU, whatever is requested.

use std::path::PathBuf;
use std::thread;

use everwarm_memory::Eviction;
use everwarm_simulator::grid::{self, FOLDER, Row};
use everwarm_simulator::play::Player;
use everwarm_simulator::trace::{self, Trace};

/// A process draws the seed of its hashes. No parameter was chosen by more than the first ten.
const SEEDS: u64 = 5;

/// The two, and an order with hashes of several seeds.
fn players(order: Eviction, seeds: u64) -> Vec<Player> {
    let seeded = (0..seeds).map(|seed| Player::Memory(order, 1, seed));
    [Player::Lru, Player::WTinyLfu]
        .into_iter()
        .chain(seeded)
        .collect()
}

/// Hits in a hundred requests more than the better of the two, with the worst of the seeds.
fn lead(row: &Row) -> f64 {
    let (twins, seeded) = row.ratios.split_at(2);
    let worst = seeded.iter().copied().fold(f64::INFINITY, f64::min);
    worst - twins[0].max(twins[1])
}

/// Plays the traces on two threads, and returns the rows that are long enough.
fn rows(traces: &[Trace], seeds: u64) -> Vec<Row> {
    let players = players(Eviction::Adaptive, seeds);
    let play = |traces: &[Trace]| -> Vec<Row> {
        traces
            .iter()
            .flat_map(|trace| grid::rows(trace, &players))
            .collect()
    };
    let (some, others) = traces.split_at(traces.len() / 2);
    let mut rows = thread::scope(|scope| {
        let some = scope.spawn(|| play(some));
        let others = play(others);
        let mut rows = some.join().expect("the other half was played");
        rows.extend(others);
        rows
    });
    rows.retain(|row| row.counts);
    rows
}

fn behind(rows: &[Row], by: f64) -> String {
    let behind = rows.iter().filter(|row| lead(row) < -by);
    behind
        .map(|row| format!("{row:?}: {:.2}\n", lead(row)))
        .collect()
}

/// Ignored, and so counted as skipped, where nobody has traces; `make test` runs it if there are some, and says so if not.
#[test]
#[ignore = "needs recorded requests: EVERWARM_TRACES names their folder"]
fn on_real_traces_it_is_half_a_point_behind_at_most_whatever_the_seed() {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    let folder = folder.expect("EVERWARM_TRACES names a folder of traces");
    let files = trace::files(&folder).unwrap();
    assert!(!files.is_empty(), "no traces in {}", folder.display());
    let traces: Vec<Trace> = files
        .iter()
        .map(|file| trace::read(file).unwrap())
        .collect();
    assert_eq!(behind(&rows(&traces, SEEDS), 0.5), "");
}

/// What changes soon may cost more than half a point, in few of these traces. No parameter was chosen by these seeds.
#[test]
fn on_generated_traces_it_is_seldom_behind_and_often_ahead_of_both() {
    let traces: Vec<Trace> = (51..=52)
        .flat_map(|seed| [trace::generated(seed), trace::varied(seed)].concat())
        .collect();
    let rows = rows(&traces, 1);
    let count = |by: f64| rows.iter().filter(|row| lead(row) < by).count();
    assert_eq!(behind(&rows, 5.0), "");
    assert!(count(-1.5) * 50 <= rows.len(), "{}", behind(&rows, 1.5));
    assert!(count(-0.5) * 10 <= rows.len(), "{}", behind(&rows, 0.5));
    assert!(
        (rows.len() - count(0.5)) * 4 >= rows.len(),
        "it is ahead by half a point in a quarter of them"
    );
    let sum = rows.iter().map(lead).sum::<f64>();
    assert!(
        sum * 2.0 > rows.len() as f64,
        "half a point on average: {sum}"
    );
}

/// Two traces that begin alike. `capacity` keys are requested in turn, then three times as many once each; from there on either the
/// first keys come again, which W-TinyLFU kept, or the last ones, which LRU has. Half of a cache cannot be both.
fn fork_in_the_road(capacity: u64) -> [Trace; 2] {
    let (kept, passing) = (0..capacity, capacity..4 * capacity);
    let last = 3 * capacity..4 * capacity;
    let begin = std::iter::repeat_n(kept.clone(), 8)
        .flatten()
        .chain(passing);
    [("the first again", kept), ("the last again", last)].map(|(name, again)| Trace {
        name: name.to_owned(),
        keys: begin
            .clone()
            .chain(std::iter::repeat_n(again, 9).flatten())
            .collect(),
    })
}

/// Why the promise has exceptions: no order that cannot see what comes keeps it on every trace, be it this one or another.
#[test]
fn no_order_is_half_a_point_behind_at_most_on_every_trace() {
    let orders = [
        Eviction::Adaptive,
        Eviction::Sieve,
        Eviction::S3Fifo,
        Eviction::Lru,
        Eviction::Lfu,
        Eviction::Fifo,
    ];
    for order in orders {
        let players = players(order, 1);
        let leads = fork_in_the_road(500).map(|trace| {
            let row = grid::rows(&trace, &players).pop().expect("a quarter");
            assert!(row.counts && row.capacity == 500);
            lead(&row)
        });
        let worst = leads[0].min(leads[1]);
        assert!(worst < -2.0, "{order:?}: {leads:?}");
        // To change sides costs a cache of misses, five points here.
        assert!(order != Eviction::Adaptive || worst > -6.5, "{leads:?}");
    }
}
