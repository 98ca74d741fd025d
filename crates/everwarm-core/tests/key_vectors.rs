//! The key encoding against its vectors, and its laws on trees of values.

use everwarm_core::key::{
    Class, Key, Limit, MAX_DEPTH, MAX_KEY, Value, Writer, decode, decode_all, tag,
};
use proptest::prelude::*;
use serde_json::Value as Json;

fn vectors() -> Vec<Json> {
    let file = include_str!("../../../tests/vectors/keys.json");
    let json: Json = serde_json::from_str(file).unwrap();
    json["vectors"].as_array().unwrap().clone()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The magnitude of a decimal number, least significant byte first.
fn magnitude(digits: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in &mut bytes {
            carry += u32::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    bytes
}

fn class(json: &Json) -> Class {
    Class::Named(
        json[0].as_str().unwrap().into(),
        json[1].as_str().unwrap().into(),
    )
}

fn sequence(kind: &str, values: Vec<Value>) -> Value {
    if kind == "tuple" {
        Value::Tuple(values)
    } else {
        Value::List(values)
    }
}

/// A neutral value as a tree.
fn tree(json: &Json) -> Value {
    let items = json.as_array().unwrap();
    let content = &items[1..];
    let text = |at: usize| content[at].as_str().unwrap();
    let bits = |at: usize| u64::from_str_radix(text(at), 16).unwrap();
    let number = |at: usize| content[at].as_u64().unwrap();
    let trees = || content.iter().map(tree).collect::<Vec<_>>();
    let inner = |at: usize| Box::new(tree(&content[at]));
    match items[0].as_str().unwrap() {
        "none" => Value::None,
        "bool" => Value::Bool(content[0].as_bool().unwrap()),
        "ellipsis" => Value::Ellipsis,
        "int" => Value::Int {
            negative: text(0).starts_with('-'),
            magnitude: magnitude(text(0).trim_start_matches('-')),
        },
        "float" => Value::Float(bits(0)),
        "complex" => Value::Complex(bits(0), bits(1)),
        "str" => Value::Str(text(0).into()),
        "text" => Value::Str(unhex(text(0))),
        "bytes" => Value::Bytes(unhex(text(0))),
        "bytearray" => Value::ByteArray(unhex(text(0))),
        "repeat" => tree(&serde_json::json!([
            text(0),
            text(1).repeat(number(2) as usize)
        ])),
        "nested" => (1..number(1)).fold(sequence(text(0), vec![]), |inner, _| {
            sequence(text(0), vec![inner])
        }),
        kind @ ("tuple" | "list") => sequence(kind, trees()),
        "set" => Value::Set(trees()),
        "frozenset" => Value::FrozenSet(trees()),
        "dict" => Value::Dict(
            content
                .iter()
                .map(|pair| (tree(&pair[0]), tree(&pair[1])))
                .collect(),
        ),
        "known" => Value::Known(number(0).try_into().unwrap(), inner(1)),
        "record" => {
            let fields = content[1..]
                .iter()
                .map(|field| (field[0].as_str().unwrap().into(), tree(&field[1])));
            Value::Record(class(&content[0]), fields.collect())
        }
        "declared" => Value::Declared(class(&content[0]), inner(1)),
        "class" => Value::Class(class(&content[0])),
        "member" => Value::Member(class(&content[0]), inner(1)),
        "flags" => Value::Flags(class(&content[0]), inner(1)),
        kind => panic!("the vectors have a kind that this test does not know: {kind}"),
    }
}

fn sealed(value: &Value) -> Result<Vec<u8>, Limit> {
    let mut writer = Writer::new();
    value.write(&mut writer)?;
    Ok(writer.seal()?.as_bytes().to_vec())
}

#[test]
fn every_vector_has_its_bytes() {
    let vectors = vectors();
    assert!(vectors.len() >= 150);
    for vector in vectors {
        let bytes = unhex(vector["hex"].as_str().unwrap());
        assert_eq!(
            sealed(&tree(&vector["value"])).unwrap(),
            bytes,
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn every_vector_is_read_back() {
    for vector in vectors() {
        let bytes = unhex(vector["hex"].as_str().unwrap());
        let value =
            decode(&bytes).unwrap_or_else(|malformed| panic!("{}: {malformed}", vector["id"]));
        if bytes[0] != tag::KEY_DIGEST {
            assert_eq!(sealed(&value).unwrap(), bytes, "{}", vector["id"]);
        }
        assert!(!value.to_string().is_empty());
    }
}

#[test]
fn nesting_beyond_the_limit_is_refused() {
    let deep = |levels: usize| (0..levels).fold(Value::None, |inner, _| Value::List(vec![inner]));
    assert!(sealed(&deep(MAX_DEPTH)).is_ok());
    assert_eq!(sealed(&deep(MAX_DEPTH + 1)), Err(Limit::Depth));
    let bytes = [&[tag::LIST + 1; MAX_DEPTH + 1][..], &[tag::NONE]].concat();
    assert!(decode(&bytes[1..]).is_ok());
    assert!(decode(&bytes).is_err());
}

#[test]
fn a_long_encoding_is_its_digest_and_keeps_its_scope() {
    let mut writer = Writer::for_scope(7);
    let mut write = |last: i64| {
        writer.clear();
        (0..=MAX_KEY).for_each(|_| writer.none());
        writer.int(last);
        Key::from(writer.seal().unwrap())
    };
    let (one, other, again) = (write(1), write(2), write(1));
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert_eq!(one.as_bytes().len(), 4 + 1 + 2 + 32);
    assert_eq!(one.as_bytes()[..5], [7, 0, 0, 0, tag::KEY_DIGEST]);
    let content = [&[tag::NONE; MAX_KEY + 1][..], &[tag::INT + 1, 1]].concat();
    assert_eq!(one.as_bytes()[7..], *blake3::hash(&content).as_bytes());
}

#[test]
fn an_encoding_without_bound_is_refused() {
    let mut writer = Writer::new();
    let block = vec![tag::NONE; 1 << 20];
    (0..17).for_each(|_| writer.encoded(&block));
    assert_eq!(writer.open_tuple(0), Err(Limit::Size));
    assert_eq!(writer.seal().unwrap_err(), Limit::Size);
    writer.clear();
    writer.none();
    assert_eq!(writer.seal().unwrap().as_bytes(), [tag::NONE]);
}

#[test]
fn a_key_of_this_process_says_so_however_long_it_is() {
    for length in [1, MAX_KEY + 1] {
        let mut writer = Writer::new();
        assert!(!writer.is_process_bound());
        writer.bind_to_process();
        (0..length).for_each(|_| writer.none());
        writer.seal().unwrap();
        assert!(writer.is_process_bound());
        writer.clear();
        assert!(!writer.is_process_bound());
    }
}

#[test]
fn arguments_are_read_one_after_another() {
    let values = decode_all(b"\x11\x05\x43sku\x00").unwrap();
    assert_eq!(
        values.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["5", "\"sku\"", "None"]
    );
    assert!(decode(b"\x11\x05\x43sku\x00").is_err());
}

fn float() -> impl Strategy<Value = u64> {
    let bits = prop_oneof![
        any::<u64>(),
        Just(0),
        Just(1 << 63),
        Just(f64::NAN.to_bits())
    ];
    bits.prop_map(|bits| {
        if f64::from_bits(bits).is_nan() {
            f64::NAN.to_bits()
        } else {
            bits
        }
    })
}

fn int() -> impl Strategy<Value = Value> {
    (any::<bool>(), prop::collection::vec(any::<u8>(), 0..12)).prop_map(
        |(negative, mut magnitude)| {
            while magnitude.last() == Some(&0) {
                magnitude.pop();
            }
            Value::Int {
                negative: negative && !magnitude.is_empty(),
                magnitude,
            }
        },
    )
}

fn leaf() -> impl Strategy<Value = Value> {
    let class = prop_oneof![
        ("[a-c]{0,2}", "[a-c]{0,2}").prop_map(|(module, qualname)| Class::Named(module, qualname)),
        (0_u64..300, "[a-c]{0,2}").prop_map(|(number, qualname)| Class::Numbered(number, qualname)),
    ];
    prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Ellipsis),
        int(),
        float().prop_map(Value::Float),
        (float(), float()).prop_map(|(real, imag)| Value::Complex(real, imag)),
        "[a-b\u{e9}]{0,3}|x{40,60}".prop_map(|text| Value::Str(text.into_bytes())),
        prop::collection::vec(0_u8..3, 0..40).prop_map(Value::Bytes),
        prop::collection::vec(0_u8..3, 0..4).prop_map(Value::ByteArray),
        class.prop_map(Value::Class),
        "[a-b]{0,2}".prop_map(Value::Default),
    ]
}

fn any_tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 20, |inner| {
        let values = || prop::collection::vec(inner.clone(), 0..18);
        let few = || prop::collection::vec(inner.clone(), 0..4);
        let class = || "[a-b]{0,2}".prop_map(|name| Class::Named(name.clone(), name));
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            values().prop_map(Value::Tuple),
            values().prop_map(Value::List),
            few().prop_map(Value::Set),
            few().prop_map(Value::FrozenSet),
            prop::collection::vec((inner.clone(), inner.clone()), 0..12).prop_map(Value::Dict),
            (0_u8..3, boxed()).prop_map(|(number, content)| Value::Known(number, content)),
            (
                class(),
                prop::collection::vec(("[a-b]{0,2}", inner.clone()), 0..3)
            )
                .prop_map(|(class, fields)| Value::Record(class, fields)),
            (class(), boxed()).prop_map(|(class, key)| Value::Declared(class, key)),
            (class(), boxed()).prop_map(|(class, name)| Value::Member(class, name)),
            (class(), boxed()).prop_map(|(class, value)| Value::Flags(class, value)),
        ]
    })
}

/// Whether two trees are the same value: parts of sets and maps in any order, all else as it stands.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Tuple(left), Value::Tuple(right)) | (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Set(left), Value::Set(right))
        | (Value::FrozenSet(left), Value::FrozenSet(right)) => same_parts(left, right, same),
        (Value::Dict(left), Value::Dict(right)) => same_parts(left, right, |left, right| {
            same(&left.0, &right.0) && same(&left.1, &right.1)
        }),
        (Value::Known(one, left), Value::Known(other, right)) => one == other && same(left, right),
        (Value::Record(one, left), Value::Record(other, right)) => {
            let fields = || {
                left.iter()
                    .zip(right)
                    .all(|(left, right)| left.0 == right.0 && same(&left.1, &right.1))
            };
            one == other && left.len() == right.len() && fields()
        }
        (Value::Declared(one, left), Value::Declared(other, right))
        | (Value::Member(one, left), Value::Member(other, right))
        | (Value::Flags(one, left), Value::Flags(other, right)) => {
            one == other && same(left, right)
        }
        _ => left == right,
    }
}

fn same_parts<T>(left: &[T], right: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    let mut rest: Vec<&T> = right.iter().collect();
    left.len() == right.len()
        && left.iter().all(|part| {
            let found = rest.iter().position(|other| same(part, other));
            found.map(|at| rest.swap_remove(at)).is_some()
        })
}

/// The same value with the parts of sets and maps the other way round.
fn reversed(value: &Value) -> Value {
    match value.clone() {
        Value::Set(values) => Value::Set(values.iter().rev().map(reversed).collect()),
        Value::Dict(pairs) => Value::Dict(pairs.into_iter().rev().collect()),
        Value::List(values) => Value::List(values.iter().map(reversed).collect()),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_encoding_says_what_it_was_made_from(value in any_tree()) {
        let mut writer = Writer::new();
        value.write(&mut writer).unwrap();
        let read = decode(writer.as_bytes()).unwrap();
        prop_assert!(same(&value, &read), "{value:?} was read as {read:?}");
    }

    #[test]
    fn equal_trees_and_equal_bytes_are_the_same(left in any_tree(), right in any_tree()) {
        prop_assert_eq!(same(&left, &right), sealed(&left) == sealed(&right));
        prop_assert_eq!(sealed(&left), sealed(&reversed(&left)));
    }

    #[test]
    fn equal_leaves_and_equal_bytes_are_the_same(left in leaf(), right in leaf()) {
        prop_assert_eq!(same(&left, &right), sealed(&left) == sealed(&right));
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_what_is_read_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(value) = decode(&bytes) {
            let mut writer = Writer::new();
            value.write(&mut writer).unwrap();
            prop_assert_eq!(writer.as_bytes(), bytes);
        }
    }

    #[test]
    fn a_damaged_encoding_is_refused_or_another_value(value in any_tree(), at: prop::sample::Index, flip in 1_u8..) {
        let mut bytes = sealed(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = decode(&bytes) {
            prop_assert!(!same(&value, &other));
        }
    }
}
