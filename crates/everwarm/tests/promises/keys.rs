//! Typed values against the vectors that Python's values are held to, and what must differ.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use everwarm::ToKey;
use everwarm::key::{Limit, Writer};
use serde_json::Value as Json;

fn bytes_of(value: &(impl ToKey + ?Sized)) -> Vec<u8> {
    let mut writer = Writer::new();
    value.write(&mut writer).expect("it is small and flat");
    writer.seal().expect("it is small").as_bytes().to_vec()
}

/// The bytes of each vector, by its name, with its neutral value.
fn vectors() -> HashMap<String, (Json, Vec<u8>)> {
    let file = include_str!("../../../../tests/vectors/keys.json");
    let json: Json = serde_json::from_str(file).expect("the vectors are JSON");
    let vectors = json["vectors"].as_array().expect("a list").iter();
    vectors
        .map(|vector| {
            let id = vector["id"].as_str().expect("a text").to_owned();
            let hex = vector["hex"].as_str().expect("a text");
            (id, (vector["value"].clone(), unhex(hex)))
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits"))
        .collect()
}

/// What Rust's types make of a neutral value: one encoding for each type that holds it.
fn encodings(value: &Json) -> Vec<Vec<u8>> {
    let items = value.as_array().expect("a kind and its content");
    let text = |at: usize| items[at].as_str().expect("a text");
    fn integer<T: std::str::FromStr + ToKey>(digits: &str) -> Option<Vec<u8>> {
        digits.parse::<T>().ok().map(|number| bytes_of(&number))
    }
    match items[0].as_str().expect("a kind") {
        "none" => vec![bytes_of(&None::<u8>)],
        "bool" => vec![bytes_of(&items[1].as_bool().expect("a truth value"))],
        "int" => [
            integer::<i8>,
            integer::<i16>,
            integer::<i32>,
            integer::<i64>,
            integer::<isize>,
            integer::<i128>,
            integer::<u8>,
            integer::<u16>,
            integer::<u32>,
            integer::<u64>,
            integer::<usize>,
            integer::<u128>,
        ]
        .iter()
        .filter_map(|encode| encode(text(1)))
        .collect(),
        "float" => {
            let bits = u64::from_str_radix(text(1), 16).expect("hexadecimal digits");
            vec![bytes_of(&f64::from_bits(bits))]
        }
        "str" => vec![bytes_of(text(1)), bytes_of(&Some(text(1).to_owned()))],
        "bytes" => vec![bytes_of(&*unhex(text(1))), bytes_of(&unhex(text(1)))],
        "repeat" => {
            let count = items[3].as_u64().expect("a count") as usize;
            let content = text(2).repeat(count);
            match text(1) {
                "str" => vec![bytes_of(&content)],
                "bytes" => vec![bytes_of(&unhex(&content))],
                _ => vec![],
            }
        }
        "list" | "set" => sequences(items),
        _ => vec![],
    }
}

/// Lists and sets of integers or of texts.
fn sequences(items: &[Json]) -> Vec<Vec<u8>> {
    let is_list = items[0] == "list";
    let all = |kind: &str| items[1..].iter().all(|item| item[0] == kind);
    let texts = || {
        items[1..]
            .iter()
            .map(|item| item[1].as_str().expect("a text"))
    };
    if all("int") {
        let numbers: Vec<i64> = texts()
            .map(|digits| digits.parse().expect("small"))
            .collect();
        return match is_list {
            true => vec![bytes_of(&numbers), bytes_of(&VecDeque::from(numbers))],
            false => vec![
                bytes_of(&BTreeSet::from_iter(numbers.clone())),
                bytes_of(&HashSet::<i64>::from_iter(numbers)),
            ],
        };
    }
    match (all("str"), is_list) {
        (true, true) => vec![bytes_of(&texts().collect::<Vec<_>>())],
        (true, false) => vec![bytes_of(&texts().collect::<HashSet<_>>())],
        _ => vec![],
    }
}

#[test]
fn scalars_and_sequences_have_the_bytes_of_the_vectors() {
    let mut compared = 0;
    for (id, (value, bytes)) in vectors() {
        for encoding in encodings(&value) {
            assert_eq!(encoding, bytes, "{id}");
            compared += 1;
        }
    }
    assert!(compared >= 300, "{compared}");
}

#[derive(ToKey)]
#[key(class = "vector_classes.Point")]
struct Point<X, Y> {
    x: X,
    y: Y,
}

#[derive(ToKey)]
#[key(class = "vector_classes.Empty")]
struct Empty;

#[derive(ToKey)]
#[key(class = "vector_classes.Pair")]
struct Pair {
    first: u8,
    second: u8,
}

#[derive(ToKey)]
#[key(class = "vector_classes.Colour")]
enum Colour {
    #[allow(clippy::upper_case_acronyms)]
    RED,
}

#[test]
fn other_values_have_the_bytes_of_their_vectors() {
    let fifteen: Vec<u8> = (0..15).collect();
    let words = BTreeMap::from([("a", 1), ("b", 2)]);
    let inner = BTreeMap::from([("x", None::<u8>), ("y", None)]);
    let empty = Point {
        x: None::<u8>,
        y: None::<u8>,
    };
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("tuple empty", bytes_of(&())),
        ("tuple of one", bytes_of(&(1,))),
        ("tuple of two", bytes_of(&(1, "a"))),
        ("tuple of two in the other order", bytes_of(&("a", 1))),
        ("tuple of a tuple", bytes_of(&((),))),
        ("tuple a, b c", bytes_of(&("a", "b c"))),
        ("tuple of a list", bytes_of(&(vec![1],))),
        ("list of a tuple", bytes_of(&[(1,)])),
        (
            "list of 15",
            bytes_of(&fifteen.iter().map(|n| u64::from(*n)).collect::<Vec<_>>()),
        ),
        ("dict empty", bytes_of(&HashMap::<u8, u8>::new())),
        ("dict of one", bytes_of(&HashMap::from([("a", 1)]))),
        ("dict of two", bytes_of(&words)),
        (
            "dict of two in the other order",
            bytes_of(&HashMap::<&str, i32>::from_iter(words)),
        ),
        (
            "dict of dicts",
            bytes_of(&HashMap::from([("b", inner), ("a", BTreeMap::new())])),
        ),
        ("IPv4Address", bytes_of(&Ipv4Addr::new(192, 0, 2, 1))),
        (
            "IPv6Address",
            bytes_of(&"2001:db8::1".parse::<IpAddr>().expect("an address")),
        ),
        ("record", bytes_of(&Point { x: 1, y: "a" })),
        (
            "record of records",
            bytes_of(&Point {
                x: empty,
                y: Vec::<u32>::new(),
            }),
        ),
        ("record without fields", bytes_of(&Empty)),
        (
            "named tuple",
            bytes_of(&Pair {
                first: 1,
                second: 2,
            }),
        ),
        ("member", bytes_of(&Colour::RED)),
    ];
    let vectors = vectors();
    for (id, bytes) in table {
        assert_eq!(bytes, vectors[id].1, "{id}: {}", vectors[id].0);
    }
}

#[test]
fn mapped_addresses_are_written_as_python_has_them() {
    let mapped: Ipv6Addr = "::ffff:192.0.2.1".parse().expect("an address");
    let mut expected = b"\xe0\x0b\xb2\x4bIPv6Address".to_vec();
    expected.extend(b"\x4f::ffff:c000:201");
    assert_eq!(bytes_of(&mapped), expected);
}

#[derive(ToKey)]
enum Shape {
    Empty,
    Circle(u32),
    Square { side: u32 },
    Boxed(Box<Shape>),
}

#[test]
fn different_values_have_different_bytes() {
    let shapes = [
        Shape::Empty,
        Shape::Circle(1),
        Shape::Circle(2),
        Shape::Square { side: 1 },
        Shape::Boxed(Box::new(Shape::Empty)),
        Shape::Boxed(Box::new(Shape::Circle(1))),
    ];
    let mut different: HashSet<Vec<u8>> = shapes.iter().map(bytes_of).collect();
    different.extend([
        bytes_of(&1_u8),
        bytes_of(&1.0_f64),
        bytes_of(&true),
        bytes_of("1"),
        bytes_of(b"1"),
        bytes_of(&[1_u32]),
        bytes_of(&(1,)),
        bytes_of(&Some(0)),
        bytes_of(&None::<u8>),
        bytes_of(&-0.0_f64),
        bytes_of(&0.0_f64),
    ]);
    assert_eq!(different.len(), shapes.len() + 11);
}

#[test]
fn pointers_are_what_they_point_to() {
    let text = bytes_of("a");
    assert_eq!(bytes_of(&Box::<str>::from("a")), text);
    assert_eq!(bytes_of(&Arc::<str>::from("a")), text);
    assert_eq!(bytes_of(&std::rc::Rc::new('a')), text);
    assert_eq!(bytes_of(&std::borrow::Cow::Borrowed("a")), text);
    assert_eq!(bytes_of(&&&"a"), text);
}

#[test]
fn nesting_beyond_the_limit_is_an_error() {
    let deep = (0..200).fold(Shape::Empty, |inner, _| Shape::Boxed(Box::new(inner)));
    assert_eq!(deep.write(&mut Writer::new()), Err(Limit::Depth));
}
