//! Every verb, from any thread, at any time.

use std::thread;

use everwarm_core::store::{Bytes, Store};

use super::keeping::joined;
use crate::harness::Bench;
use crate::numbers::Numbers;
use crate::promise::{Kept, ensure};
use crate::wait::wait;

const THREADS: u64 = 4;
const ROUNDS: usize = 150;
const NAMES: usize = 12;

/// A value that says whose it is.
fn value(name: &str, writer: u64, round: usize) -> Bytes {
    let length = (writer as usize * 977 + round * 13) % 3_000;
    format!("{name}|{writer}|{round}|{}|{}", length, "x".repeat(length)).into()
}

fn is_value_of(name: &str, bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut parts = text.rsplitn(5, '|');
    let (Some(fill), Some(length)) = (parts.next(), parts.next()) else {
        return false;
    };
    let owner = parts.nth(2);
    owner == Some(name) && length.parse() == Ok(fill.len())
}

pub(crate) fn every_verb_may_be_called_from_any_thread(bench: &Bench<'_>) -> Kept {
    let stores = bench.pair();
    let names: Vec<String> = (0..NAMES).map(|n| bench.name(&format!("n{n}"))).collect();
    let names = &names;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|writer| {
                let store = &stores[writer as usize % 2];
                scope.spawn(move || work(&**store, names, writer))
            })
            .collect();
        threads.into_iter().map(joined).fold(Ok(()), Result::and)
    })
}

fn work(store: &dyn Store, names: &[String], writer: u64) -> Kept {
    let mut numbers = Numbers::from_seed(writer);
    for round in 0..ROUNDS {
        let name = &names[numbers.below(NAMES)];
        match numbers.below(10) {
            0..4 => wait(store.set(name, value(name, writer, round), None))?,
            4 => drop(wait(store.delete(name))?),
            5 => {
                let asked: Vec<&str> = names.iter().map(String::as_str).collect();
                for (name, found) in names.iter().zip(wait(store.get_many(&asked))?) {
                    let is_own = found.is_none_or(|found| is_value_of(name, &found.bytes));
                    ensure!(
                        is_own,
                        "get_many gave one of several threads another name's value"
                    );
                }
            }
            6 if round % 40 == 0 => drop(wait(store.clear(name))?),
            7 if round % 10 == 0 => drop(wait(store.sweep())?),
            _ => {
                let found = wait(store.get(name))?;
                let is_own = found.is_none_or(|found| is_value_of(name, &found.bytes));
                ensure!(
                    is_own,
                    "get gave one of several threads another name's value, or a part of one"
                );
            }
        }
    }
    Ok(())
}
