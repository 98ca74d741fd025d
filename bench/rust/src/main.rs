//! Get or insert by a Zipf law, in one thread and in two: prints one line of JSON for each sample.
//!
//! `everwarm-bench KEYS REQUESTS ROUNDS`: a tenth of the keys fit. All contenders answer the same requests, in rounds of
//! which each begins with another one.
#![forbid(unsafe_code)]

mod contenders;
mod zipf;

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use contenders::{CONTENDERS, Contender};

/// How long the requests took, and how many were answered without computing.
struct Sample {
    nanoseconds: f64,
    hit_ratio: f64,
}

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| {
            text.parse()
                .expect("KEYS REQUESTS ROUNDS, as whole numbers")
        })
        .collect();
    let [keys, requests, rounds] = numbers[..] else {
        panic!("three numbers: KEYS REQUESTS ROUNDS");
    };
    let warm = zipf::requests(keys, keys, 1);
    let streams = [
        zipf::requests(keys, requests, 2),
        zipf::requests(keys, requests, 3),
    ];
    for threads in [1, 2] {
        for round in 0..rounds {
            for turn in 0..CONTENDERS.len() {
                let (name, make) = CONTENDERS[(turn + round) % CONTENDERS.len()];
                let sample = play(make(keys / 10).as_ref(), &warm, &streams[..threads]);
                println!(
                    r#"{{"name": "{name}", "threads": {threads}, "ns": {:.2}, "hit_ratio": {:.4}}}"#,
                    sample.nanoseconds, sample.hit_ratio
                );
            }
        }
    }
}

/// Fills a cache with the warm requests, then lets each thread pass through its stream once; wall time per request, from the
/// first thread's start to the last one's end.
fn play(cache: &dyn Contender, warm: &[u64], streams: &[Vec<u64>]) -> Sample {
    cache.pass(warm);
    let ready = Barrier::new(streams.len());
    let pass = |stream: &[u64]| {
        ready.wait();
        let start = Instant::now();
        let misses = cache.pass(stream);
        (start, Instant::now(), misses)
    };
    let passed: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = streams
            .iter()
            .map(|stream| scope.spawn(|| pass(stream)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .collect()
    });
    let start = passed.iter().map(|(start, _, _)| *start).min();
    let end = passed.iter().map(|(_, end, _)| *end).max();
    let elapsed = end.zip(start).expect("one thread at least");
    let misses: usize = passed.iter().map(|(_, _, misses)| misses).sum();
    let requests: usize = streams.iter().map(Vec::len).sum();
    Sample {
        nanoseconds: (elapsed.0 - elapsed.1).as_nanos() as f64 / requests as f64,
        hit_ratio: 1.0 - misses as f64 / requests as f64,
    }
}
