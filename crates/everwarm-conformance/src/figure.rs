//! How much is tried: little while one develops, and the figures of the programme in CI; and a line in a log of what was.

use std::fs::OpenOptions;
use std::io::Write;

/// The larger number where CI runs, which says so by the variable `CI`.
///
/// ```
/// let kills = everwarm_conformance::figure(5, 200);
/// assert!(kills == 5 || kills == 200);
/// ```
#[must_use]
pub fn figure(few: u64, many: u64) -> u64 {
    if is_ci() { many } else { few }
}

/// Whether nothing may be left out.
#[must_use]
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|said| !said.is_empty())
}

/// Notes that a scenario ran, how far, and from which seed: a line of JSON in the file that `SCENARIOS_LOG` names, if it names one.
///
/// # Panics
/// If the file cannot be written to.
#[expect(
    clippy::print_stdout,
    reason = "how much was tried is a part of what a test says"
)]
pub fn ran(scenario: &str, figure: &str, seed: u64) {
    println!("{scenario}: {figure}, seed {seed}");
    let Some(path) = std::env::var_os("SCENARIOS_LOG") else {
        return;
    };
    // Told in one write, since several processes append.
    let line =
        format!("{{\"scenario\": {scenario:?}, \"figure\": {figure:?}, \"seed\": {seed}}}\n");
    let log = OpenOptions::new().append(true).create(true).open(path);
    let written = log.and_then(|mut log| log.write_all(line.as_bytes()));
    written.expect("the log of scenarios can be written to");
}
