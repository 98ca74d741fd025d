//! Fuzzing of values: seeded mutations of the vectors, as `fuzz.rs` has them for envelopes, with a planted fault that is found.

use everwarm_codec::format::{Malformed, Value};
use everwarm_conformance::{Wrong, fuzz, hunt};

fn corpus() -> Vec<Vec<u8>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/values.json"
    );
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let file: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
    let vectors = file["vectors"].as_array().expect("a list").iter();
    vectors
        .map(|vector| vector["hex"].as_str().expect("a text").as_bytes())
        .map(|hex| {
            let pairs = hex
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).expect("ASCII"));
            pairs
                .map(|pair| u8::from_str_radix(pair, 16).expect("hex"))
                .collect()
        })
        .collect()
}

/// Bytes of anybody: none, or a value that is written and read again as the same, and whose bytes end where it ends.
fn check(data: &[u8], read: impl Fn(&[u8]) -> Result<Value, Malformed>) -> Wrong {
    let value = read(data).ok()?;
    let mut written = Vec::new();
    if value.write(&mut written, usize::MAX).is_err() {
        return Some("what was read cannot be written");
    }
    if read(&written) != Ok(value) {
        return Some("another value when it is written and read");
    }
    let before = data.split_last().map(|(_, before)| read(before));
    matches!(before, Some(Ok(_))).then_some("a value goes on where one has ended")
}

#[test]
fn values() {
    fuzz("MessagePack", &corpus(), |data| check(data, Value::read));
}

#[test]
fn a_reader_that_takes_no_notice_of_the_end_is_found() {
    // The planted fault: bytes behind a value are let pass.
    let careless = |data: &[u8]| {
        let ends = (0..=data.len()).rev();
        let mut read = ends.map(|end| Value::read(&data[..end]));
        read.find(Result::is_ok)
            .unwrap_or_else(|| Value::read(data))
    };
    assert!(hunt(&corpus(), |data| check(data, careless)).is_some());
}
