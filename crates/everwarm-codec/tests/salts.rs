//! Salts: no two messages have the same, whichever process sealed them.

mod samples;

use std::collections::HashSet;
use std::process::Command;

use everwarm_codec::suite::Suite;
use everwarm_conformance::ran;
use everwarm_core::codec::Codec;
use samples::{BINDING, full_meta};

const CHILD: &str = "EVERWARM_SALTS_CHILD";
const PROCESSES: usize = 50;
const EACH: usize = 20;

fn salts() -> impl Iterator<Item = String> {
    let pipeline = samples::pipeline(Suite::AesGcm);
    (0..EACH).map(move |_| {
        let envelope = pipeline.seal(&BINDING, &full_meta(), b"payload").unwrap();
        envelope[16..48]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    })
}

#[test]
fn no_two_messages_of_fifty_processes_have_the_same_salt() {
    if std::env::var_os(CHILD).is_some() {
        salts().for_each(|salt| eprintln!("salt {salt}"));
        return;
    }
    let mut seen: HashSet<String> = salts().collect();
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--nocapture", "--test-threads=1"])
                .env(CHILD, "1")
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        seen.extend(
            output
                .lines()
                .filter_map(|line| line.strip_prefix("salt "))
                .map(Into::into),
        );
    }
    assert_eq!(seen.len(), EACH * (PROCESSES + 1));
    let figure = format!("{} salts of {PROCESSES} processes", seen.len());
    ran("Z", &figure, 0);
}
