//! The wire of formats: what is written is read, and what is no value is refused.

use everwarm_codec::format::{
    Extension, Format, MAX_LEVELS, Malformed, Token, Value, Writer, from_msgpack, to_msgpack,
};
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;

fn bytes_of(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.write(&mut bytes, LIMIT).expect("it is small");
    bytes
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|int| Value::Int(int.into())),
        any::<u64>().prop_map(|int| Value::Int(int.into())),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        ".{0,40}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|bytes| Value::Raw(Extension::ByteArray, bytes)),
    ];
    leaf.prop_recursive(6, 64, 20, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..20).prop_map(Value::List);
        prop_oneof![
            list.clone(),
            list.prop_map(|list| Value::One(Extension::Tuple, Box::new(list))),
            prop::collection::vec((inner.clone(), inner.clone()), 0..20).prop_map(Value::Dict),
            (inner, prop::collection::vec(any::<u8>(), 0..3000)).prop_map(|(value, bytes)| {
                Value::Tail(Extension::Array, Box::new(value), bytes)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in values()) {
        let bytes = bytes_of(&value);
        prop_assert_eq!(Value::read(&bytes), Ok(value));
    }

    #[test]
    fn no_value_is_the_beginning_of_another(value in values(), cut in any::<prop::sample::Index>()) {
        let bytes = bytes_of(&value);
        prop_assert!(Value::read(&bytes[..cut.index(bytes.len())]).is_err());
        let longer = [&bytes[..], &[0xc0]].concat();
        prop_assert_eq!(Value::read(&longer), Err(Malformed::Left));
    }

    #[test]
    fn serde_writes_plain_values_as_the_tree_does(
        ints in prop::collection::vec(any::<i64>(), 0..20), text in ".{0,300}", float in any::<f64>()
    ) {
        let tree = Value::List(vec![
            Value::List(ints.iter().map(|&int| Value::Int(int.into())).collect()),
            Value::Text(text.clone()),
            Value::Float(float),
            Value::None,
        ]);
        let typed = (ints, text, float, None::<bool>);
        let bytes = to_msgpack(&typed).expect("it is plain");
        prop_assert_eq!(&bytes, &bytes_of(&tree));
        let back: (Vec<i64>, String, f64, Option<bool>) = from_msgpack(&bytes).expect("it is its own");
        prop_assert_eq!((back.0, back.1, back.2.to_bits()), (typed.0, typed.1, typed.2.to_bits()));
    }
}

#[test]
fn lengths_are_not_believed() {
    for hex in [
        "dd7fffffff",
        "df7fffffff",
        "c67fffffff00",
        "db7fffffff00",
        "c97fffffff02",
        "dcffff",
        // Each level announces what would fit, were it not for the others.
        "dd00000008dd00000008dd00000008c0c0c0c0",
    ] {
        assert_eq!(Value::read(&decoded(hex)), Err(Malformed::Short), "{hex}");
    }
}

#[test]
fn what_begins_nothing_is_refused() {
    assert_eq!(Value::read(&[0xc1]), Err(Malformed::Reserved));
    assert_eq!(Value::read(&[0xd4, 0x7f, 0]), Err(Malformed::Unknown(0x7f)));
    assert_eq!(
        Value::read(&[0xd6, 0xff, 0, 0, 0, 0]),
        Err(Malformed::Unknown(-1))
    );
    assert_eq!(Value::read(&[0xa1, 0xff]), Err(Malformed::Text));
    assert_eq!(Value::read(&[]), Err(Malformed::Short));
    assert_eq!(
        Value::read(&[0xd4, 0x02, 0xc0]),
        Err(Malformed::Content(Extension::Tuple))
    );
}

#[test]
fn levels_are_counted() {
    let nested = |count: usize| [&[0x91].repeat(count)[..], &[0xc0]].concat();
    assert!(Value::read(&nested(MAX_LEVELS)).is_ok());
    assert_eq!(Value::read(&nested(MAX_LEVELS + 1)), Err(Malformed::Deep));
    assert!(from_msgpack::<serde_json::Value>(&nested(1000)).is_err());
}

#[test]
fn what_is_beyond_the_limit_is_taken_back() {
    let mut bytes = vec![1, 2, 3];
    assert!(Value::Bytes(vec![0; 100]).write(&mut bytes, 100).is_err());
    assert_eq!(bytes, [1, 2, 3]);
    assert!(Value::Bytes(vec![0; 100]).write(&mut bytes, 102).is_ok());
    assert_eq!(bytes.len(), 3 + 102);
}

#[test]
fn long_tails_are_aligned_from_the_beginning_of_the_value() {
    let mut out = vec![9; 7];
    let mut writer = Writer::new(&mut out, LIMIT);
    let tuple = writer.open(Extension::Tuple);
    writer.list(1);
    let array = writer.open(Extension::Array);
    writer.none();
    writer.tail(&[0xab; 2000]);
    writer.close(array);
    writer.close(tuple);
    writer.finish().expect("it is small");
    let value = &out[7..];
    assert!(Value::read(value).is_ok());
    assert_eq!((value.len() - 2000) % 64, 0);
}

#[test]
fn a_reader_gives_heads_before_their_content() {
    let mut reader = everwarm_codec::format::Reader::new(&[0x92, 0x01, 0xc3]);
    assert_eq!(reader.token(), Ok(Token::List(2)));
    assert_eq!(reader.token(), Ok(Token::Int(1)));
    assert_eq!(reader.token(), Ok(Token::Bool(true)));
    assert_eq!(reader.clone().token(), Err(Malformed::Short));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn formats_have_numbers_of_their_own() {
    let named = ["msgpack", "json", "arrow", "pickle"]
        .map(|name| Format::named(name).expect("it is known"));
    assert_eq!(named.map(Format::number), [1, 2, 3, 4]);
    assert!(
        named
            .iter()
            .all(|format| Format::named(format.name()) == Some(*format))
    );
    assert_eq!(Format::named("custom"), None);
    assert_ne!(
        Format::custom("toml").number(),
        Format::custom("yaml").number()
    );
    let unsafe_ones = named
        .into_iter()
        .filter(|format| format.needs_authentication());
    assert_eq!(unsafe_ones.collect::<Vec<_>>(), [Format::Pickle]);
}

#[test]
fn numbers_of_extensions_lead_to_them() {
    for &extension in Extension::ALL {
        let number = extension.number().cast_signed();
        assert_eq!(Extension::from_number(number), Some(extension));
    }
}

fn decoded(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}
