//! What a first day with Everwarm looks like: `cargo run -p everwarm --example quickstart`.

use std::thread;

use everwarm::{Cache, duration::mins};

/// A function that remembers what it gave, for five minutes.
#[everwarm::cached(ttl = "5m", tags = ["product:{sku}"])]
fn price(sku: &str) -> Result<u32, String> {
    match sku {
        "lamp" => Ok(30),
        _ => Err(format!("there is no {sku}")),
    }
}

/// Tasks wait for each other as threads do.
#[everwarm::cached]
async fn profile(id: u64) -> String {
    format!("profile of {id}")
}

fn main() -> Result<(), everwarm::Error> {
    assert_eq!((price("lamp"), price("lamp")), (Ok(30), Ok(30)));
    assert_eq!(price::stats().computations, 1);
    everwarm::invalidate_tags(["product:lamp"]);
    assert!(price::peek("lamp").is_none());
    assert_eq!(pollster::block_on(profile(7)), "profile of 7");

    // A cache with keys and values of your own types; clones are handles to the same entries.
    let users: Cache<u64, String> = Cache::builder("users")
        .max_entries(10_000)
        .ttl(mins(5))
        .jitter(0.1)
        .build()?;
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let users = users.clone();
            thread::spawn(move || users.get_or_compute(&7, || "Ada".to_owned()))
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().expect("no caller panics"), "Ada");
    }
    assert_eq!(users.stats().computations, 1);
    Ok(())
}
