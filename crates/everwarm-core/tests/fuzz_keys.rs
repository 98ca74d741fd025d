//! Fuzzing of the decoding of keys: seeded mutations of the vectors. Whatever decodes has these bytes and no others.

use everwarm_conformance::{Wrong, fuzz, hunt};
use everwarm_core::key::{Malformed, Value, Writer, decode};

fn corpus() -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/keys.json");
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

/// Bytes of anybody: none, or a key whose only encoding they are.
fn check(data: &[u8], read: impl Fn(&[u8]) -> Result<Value, Malformed>) -> Wrong {
    let value = read(data).ok()?;
    let mut writer = Writer::new();
    if value.write(&mut writer).is_err() {
        return None;
    }
    let sealed = writer.seal().ok()?;
    (sealed.as_bytes() != data).then_some("a key with two encodings")
}

#[test]
fn keys() {
    fuzz("key encoding", &corpus(), |data| check(data, decode));
}

#[test]
fn a_reader_that_takes_no_notice_of_the_end_is_found() {
    // The planted fault: bytes behind a key are let pass.
    let careless = |data: &[u8]| {
        let ends = (0..=data.len()).rev();
        let mut read = ends.map(|end| decode(&data[..end]));
        read.find(Result::is_ok).unwrap_or_else(|| decode(data))
    };
    assert!(hunt(&corpus(), |data| check(data, careless)).is_some());
}
