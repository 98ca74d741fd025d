//! The vectors of `tests/vectors/values.json`, which Python reads too, and what becomes of them when they are damaged.

use std::panic::catch_unwind;

use everwarm_codec::format::{Extension, Value};
use serde_json::Value as Json;

struct Vector {
    name: String,
    bytes: Vec<u8>,
    tree: Value,
}

fn vectors() -> Vec<Vector> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/values.json"
    );
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let file: Json = serde_json::from_str(&text).expect("they are JSON");
    let vectors = file["vectors"].as_array().expect("a list");
    vectors
        .iter()
        .map(|vector| Vector {
            name: vector["value"].as_str().expect("a text").to_owned(),
            bytes: hex(&vector["hex"]),
            tree: tree(&vector["tree"]),
        })
        .collect()
}

fn hex(json: &Json) -> Vec<u8> {
    let text = json.as_str().expect("a text").as_bytes();
    text.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}

/// The value of a neutral tree.
fn tree(json: &Json) -> Value {
    let part = |at: usize| &json[at];
    let many = |json: &Json| json.as_array().expect("a list").clone();
    let extension = || {
        let number = part(1)
            .as_i64()
            .and_then(|number| i8::try_from(number).ok());
        Extension::from_number(number.expect("a number")).expect("it is known")
    };
    match part(0).as_str().expect("a kind") {
        "none" => Value::None,
        "bool" => Value::Bool(part(1) == &Json::Bool(true)),
        "int" => Value::Int(part(1).as_str().expect("digits").parse().expect("an int")),
        "float" => {
            let bits = hex(part(1)).try_into().expect("eight bytes");
            Value::Float(f64::from_bits(u64::from_be_bytes(bits)))
        }
        "text" => Value::Text(part(1).as_str().expect("a text").to_owned()),
        "bytes" => Value::Bytes(hex(part(1))),
        "list" => Value::List(many(part(1)).iter().map(tree).collect()),
        "dict" => {
            let pairs = many(part(1));
            Value::Dict(
                pairs
                    .iter()
                    .map(|pair| (tree(&pair[0]), tree(&pair[1])))
                    .collect(),
            )
        }
        "raw" => Value::Raw(extension(), hex(part(2))),
        "one" => Value::One(extension(), Box::new(tree(part(2)))),
        "tail" => Value::Tail(extension(), Box::new(tree(part(2))), hex(part(3))),
        kind => unreachable!("{kind}"),
    }
}

#[test]
fn every_vector_is_read_and_written() {
    let vectors = vectors();
    assert!(vectors.len() > 150);
    for Vector { name, bytes, tree } in vectors {
        assert_eq!(Value::read(&bytes).as_ref(), Ok(&tree), "{name}");
        let mut written = Vec::new();
        tree.write(&mut written, usize::MAX).expect("it is small");
        assert_eq!(written, bytes, "{name}");
    }
}

/// Numbers that look drawn, the same at every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Values with some of their bytes flipped, set, cut out or doubled.
fn damaged(count: usize) -> impl Iterator<Item = Vec<u8>> {
    let vectors: Vec<_> = vectors().into_iter().map(|vector| vector.bytes).collect();
    let mut draw = Draw(0x5eed);
    (0..count).map(move |_| {
        let mut bytes = vectors[draw.below(vectors.len())].clone();
        for _ in 0..=draw.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = draw.below(bytes.len());
            let end = at + draw.below(bytes.len() - at) / 4;
            match draw.below(5) {
                0 => bytes[at] ^= 1 << draw.below(8),
                1 => bytes[at] = draw.below(256) as u8,
                2 => drop(bytes.drain(at..end)),
                3 => bytes.truncate(at),
                _ => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    })
}

/// How many of the inputs a reader panics at.
fn panics(read: impl Fn(&[u8]) + std::panic::RefUnwindSafe, count: usize) -> usize {
    damaged(count)
        .filter(|bytes| catch_unwind(|| read(bytes)).is_err())
        .count()
}

#[test]
fn damaged_values_are_read_or_refused() {
    let read = |bytes: &[u8]| {
        if let Ok(value) = Value::read(bytes) {
            let mut written = Vec::new();
            value.write(&mut written, usize::MAX).expect("it was read");
            assert_eq!(Value::read(&written), Ok(value));
        }
    };
    assert_eq!(panics(read, 20_000), 0);
}

#[test]
fn a_reader_that_believes_lengths_is_found() {
    // The planted fault: the length of a text is taken as it stands.
    let read = |bytes: &[u8]| {
        if let Some(&tag @ 0xa0..=0xbf) = bytes.first() {
            let _ = &bytes[1..=usize::from(tag & 0x1f)];
        }
    };
    std::panic::set_hook(Box::new(|_| {}));
    let found = panics(read, 20_000);
    let _ = std::panic::take_hook();
    assert!(found > 0);
}
