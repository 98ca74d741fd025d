//! Prints hit ratios of all orders on real and generated traces, or how long a request takes with each.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // That is what it is for.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use everwarm_memory::Eviction;
use everwarm_simulator::grid;
use everwarm_simulator::play::{Player, through_memory};
use everwarm_simulator::trace::{Draw, Zipf, files, generated, read, varied};

const USAGE: &str = "everwarm-simulator [--traces DIR] [--markdown FILE] | --time";

fn main() -> Result<(), Box<dyn Error>> {
    let mut folder = std::env::var_os(grid::FOLDER).map(PathBuf::from);
    let mut report: Option<PathBuf> = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), &mut words) {
            ("--time", _) => {
                time();
                return Ok(());
            }
            ("--traces", rest) => folder = Some(rest.next().ok_or(USAGE)?.into()),
            ("--markdown", rest) => report = Some(rest.next().ok_or(USAGE)?.into()),
            _ => return Err(USAGE.into()),
        }
    }
    let mut traces = Vec::new();
    for path in folder.map_or(Ok(Vec::new()), |folder| files(&folder))? {
        traces.push(read(&path)?);
    }
    traces.extend(generated(1));
    traces.extend(varied(1));
    let mut players: Vec<Player> = Eviction::ALL
        .iter()
        .map(|order| Player::Memory(*order, 1, 0))
        .collect();
    players.insert(1, Player::Memory(Eviction::Adaptive, 16, 0));
    players.extend([Player::Lru, Player::WTinyLfu, Player::Belady]);
    let rows: Vec<grid::Row> = traces
        .iter()
        .flat_map(|trace| grid::rows(trace, &players))
        .collect();
    let table = grid::markdown(&players, &rows);
    println!("{table}");
    if let Some(report) = report {
        std::fs::write(report, table)?;
    }
    Ok(())
}

/// Get, or put if it was not there: Zipf 0.99 over a million keys, room for a tenth of them.
fn time() {
    const KEYS: usize = 1_000_000;
    let (zipf, mut draw) = (Zipf::new(KEYS, 0.99), Draw::new(1));
    let trace: Vec<u64> = (0..4 * KEYS).map(|_| zipf.draw(&mut draw) as u64).collect();
    for &eviction in Eviction::ALL {
        let begin = Instant::now();
        let hits = through_memory(&trace, KEYS / 10, eviction, 1, 0);
        let nanos = begin.elapsed().as_nanos() as f64 / trace.len() as f64;
        let ratio = 100.0 * hits as f64 / trace.len() as f64;
        println!("{:9} {nanos:6.1} ns {ratio:5.1} %", eviction.name());
    }
}
