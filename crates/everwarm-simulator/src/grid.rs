//! Traces by sizes by caches, and the promise that `adaptive` keeps on them.

use std::fmt::Write;

use crate::play::Player;
use crate::trace::Trace;

/// The environment variable that names a folder of traces.
pub const FOLDER: &str = "EVERWARM_TRACES";
/// Capacities, in thousandths of a trace's different keys.
pub const SIZES: [usize; 5] = [5, 10, 50, 100, 250];
/// A trace of fewer requests for each place in the cache is over before much can be learnt from it.
const REQUESTS_PER_PLACE: usize = 20;

/// One trace at one size: hits in a hundred requests for each player.
#[derive(Clone, Debug)]
pub struct Row {
    /// The trace's name.
    pub trace: String,
    /// The capacity in thousandths of its keys.
    pub size: usize,
    /// The capacity in entries.
    pub capacity: usize,
    /// Whether the trace is long enough for the promise.
    pub counts: bool,
    /// Hits in a hundred requests, in the order of the players.
    pub ratios: Vec<f64>,
}

/// Plays a trace at each size through each player.
#[must_use]
pub fn rows(trace: &Trace, players: &[Player]) -> Vec<Row> {
    let distinct = trace.distinct();
    let row = |size: usize| {
        let capacity = (distinct * size / 1_000).max(1);
        Row {
            trace: trace.name.clone(),
            size,
            capacity,
            counts: trace.keys.len() >= REQUESTS_PER_PLACE * capacity,
            ratios: players
                .iter()
                .map(|player| player.play(&trace.keys, capacity))
                .collect(),
        }
    };
    SIZES.into_iter().map(row).collect()
}

/// The rows as a table in Markdown.
#[must_use]
pub fn markdown(players: &[Player], rows: &[Row]) -> String {
    let names: Vec<String> = players.iter().map(|player| player.name()).collect();
    let mut text = format!("| trace | size | entries | {} |\n", names.join(" | "));
    text.push_str("|---|--:|--:|");
    text.push_str(&"--:|".repeat(players.len()));
    text.push('\n');
    for row in rows {
        let size = row.size as f64 / 10.0;
        let mark = if row.counts { "" } else { " (short)" };
        let _ = write!(
            text,
            "| {}{mark} | {size} % | {} |",
            row.trace, row.capacity
        );
        for ratio in &row.ratios {
            let _ = write!(text, " {ratio:.1} |");
        }
        text.push('\n');
    }
    text
}
