//! What sealing and opening cost, in nanoseconds: `cargo run --release -p everwarm-codec --example cost`.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use everwarm_codec::keyring::Keyring;
use everwarm_codec::master::MasterKey;
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_codec::suite::Suite;
use everwarm_core::codec::{Binding, Codec, Meta, Spans};
use everwarm_core::error::Error;
use everwarm_core::mark::Mark;

const ROUNDS: u32 = 20_000;
const RUNS: usize = 9;

fn main() -> Result<(), Error> {
    let binding = Binding {
        tenant: b"",
        namespace: "shop",
        function: "shop.users.profile",
        schema: "5f1e0c9a",
        key: b"\x11\x07",
    };
    let spans = Spans {
        fresh: Some(Duration::from_secs(60)),
        ..Spans::default()
    };
    let plain = Meta {
        spans,
        ..Meta::default()
    };
    let mark = Mark {
        shard: 0,
        epoch: 7,
        number: 3,
    };
    let stamped = Meta {
        stamps: vec![mark].into(),
        tags: vec!["user:7".into()],
        ..plain.clone()
    };
    println!("payload  suite            meta     seal ns  open ns");
    for length in [100, 10 << 10] {
        let payload = vec![b'x'; length];
        for suite in Suite::ALL {
            for (name, meta) in [("plain", &plain), ("stamped", &stamped)] {
                let keyring = Arc::new(Keyring::new(MasterKey::new(&[7; 32])?, [])?);
                let pipeline = Pipeline::new(Config {
                    suite,
                    keyring: Some(keyring),
                    ..Config::default()
                })?;
                let envelope = pipeline.seal(&binding, meta, &payload)?;
                let seal = fastest(|| {
                    drop(black_box(pipeline.seal(
                        &binding,
                        meta,
                        black_box(&payload),
                    )))
                });
                let open =
                    fastest(|| drop(black_box(pipeline.open(&binding, black_box(&envelope)))));
                println!(
                    "{length:>7}  {:<15}  {name:<7}  {seal:>7}  {open:>7}",
                    suite.name()
                );
            }
        }
    }
    Ok(())
}

/// The best mean of several runs, in nanoseconds for one round.
fn fastest(mut work: impl FnMut()) -> u128 {
    let runs = (0..RUNS).map(|_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        start.elapsed().as_nanos() / u128::from(ROUNDS)
    });
    runs.min().unwrap_or_default()
}
