//! Any verbs in any order over two handles: a map with deadlines says what must be there.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Bytes, Counters, Scan, Store, Touch};
use everwarm_store_disk::{Config, Disk};
use proptest::prelude::*;
use support::{Hands, SECOND, get, now};

#[derive(Clone, Debug)]
enum Verb {
    Set(u8, usize, Option<u8>),
    Delete(u8),
    Expire(u8, Option<u8>),
    Incr(u8),
    Clear(u8),
    Pass(u8),
    Sweep,
    Reopen,
}

fn verbs() -> impl Strategy<Value = Verb> {
    let name = || 0..12_u8;
    let ttl = || proptest::option::of(1..20_u8);
    prop_oneof![
        8 => (name(), prop_oneof![9 => 0..3_000_usize, 1 => 65_000..70_000_usize], ttl())
            .prop_map(|(name, length, ttl)| Verb::Set(name, length, ttl)),
        3 => name().prop_map(Verb::Delete),
        3 => (name(), ttl()).prop_map(|(name, ttl)| Verb::Expire(name, ttl)),
        2 => (12..14_u8).prop_map(Verb::Incr),
        1 => (0..3_u8).prop_map(Verb::Clear),
        3 => (1..10_u8).prop_map(Verb::Pass),
        1 => Just(Verb::Sweep),
        1 => Just(Verb::Reopen),
    ]
}

/// Twelve names under three prefixes, and two counters.
fn name_of(name: u8) -> String {
    format!("{}:{name}", name % 3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: everwarm_conformance::figure(40, 400) as u32, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_a_map_with_deadlines(steps in proptest::collection::vec((verbs(), any::<bool>()), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        let clock = Hands::new();
        let config = Config { max_bytes: 8 << 20, ..Config::new(directory.path()) };
        let open = || Disk::open_by(config.clone(), Arc::clone(&clock) as _).unwrap();
        let mut disks = [open(), open()];
        let mut model: HashMap<String, (Vec<u8>, Option<u64>)> = HashMap::new();
        let mut time = 0;
        for (at, (verb, which)) in steps.into_iter().enumerate() {
            let disk = &disks[usize::from(which)];
            let seconds = |ttl: Option<u8>| ttl.map(|ttl| Duration::from_secs(ttl.into()));
            let until = |ttl: Option<u8>| ttl.map(|ttl| time + u64::from(ttl));
            match verb {
                Verb::Set(name, length, ttl) => {
                    let bytes = vec![at as u8; length];
                    now(disk.set(&name_of(name), Bytes::from(bytes.clone()), seconds(ttl))).unwrap();
                    model.insert(name_of(name), (bytes, until(ttl)));
                }
                Verb::Delete(name) => {
                    let was = model.remove(&name_of(name)).is_some();
                    prop_assert_eq!(now(disk.delete(&name_of(name))).unwrap(), was);
                }
                Verb::Expire(name, ttl) => {
                    let was = model.get_mut(&name_of(name)).map(|(_, end)| *end = until(ttl)).is_some();
                    prop_assert_eq!(now(disk.expire(&name_of(name), seconds(ttl))).unwrap(), was);
                }
                Verb::Incr(name) => {
                    let count = now(disk.incr(&name_of(name), 1, 0, None)).unwrap();
                    let end = model.get(&name_of(name)).and_then(|(_, end)| *end);
                    model.insert(name_of(name), (count.to_string().into_bytes(), end));
                }
                Verb::Clear(prefix) => {
                    let prefix = format!("{prefix}:");
                    let before = model.len();
                    model.retain(|name, _| !name.starts_with(&prefix));
                    prop_assert_eq!(now(disk.clear(&prefix)).unwrap(), (before - model.len()) as u64);
                }
                Verb::Pass(by) => {
                    time += u64::from(by);
                    clock.advance(u32::from(by) * SECOND);
                    model.retain(|_, (_, end)| end.is_none_or(|end| end > time));
                }
                Verb::Sweep => {
                    now(disk.sweep()).unwrap();
                    prop_assert_eq!(disk.usage().unwrap().entries, model.len() as u64);
                }
                Verb::Reopen => disks[usize::from(which)] = open(),
            }
            let other = &disks[usize::from(!which)];
            for name in (0..14).map(name_of) {
                let expected = model.get(&name).map(|(bytes, _)| &bytes[..]);
                let found = get(other, &name);
                prop_assert_eq!(found.as_deref(), expected, "{}", name);
            }
            let mut names = now(other.page("", None, 100)).unwrap().names;
            names.sort();
            let mut expected: Vec<_> = model.keys().cloned().collect();
            expected.sort();
            prop_assert_eq!(names, expected);
        }
        prop_assert!(disks.iter().all(|disk| disk.doubts().is_empty()));
    }
}
