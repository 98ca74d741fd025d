//! The pieces of a key: one for each argument, to say in which two keys differ.

use super::decode::decode_all;
use super::{Class, Value, tag};

/// Bytes of an identity: its tag and an address.
const IDENTITY: usize = 9;

/// The arguments of one key, apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// An instance that is keyed by its address.
    Identity(Vec<u8>),
    Value(Value),
}

impl Pieces {
    /// The pieces of an encoding of arguments; nothing for what is none, or is no more than a digest.
    ///
    /// ```
    /// use everwarm_core::key::{Pieces, Writer};
    ///
    /// let encoded = |text: &str| {
    ///     let mut writer = Writer::new();
    ///     writer.int(5);
    ///     writer.str(text);
    ///     Pieces::of(writer.as_bytes()).unwrap()
    /// };
    /// assert_eq!(encoded("a").differing(&encoded("b")), Some(vec![1]));
    /// assert_eq!(encoded("a").type_name(0).as_deref(), Some("int"));
    /// ```
    #[must_use]
    pub fn of(arguments: &[u8]) -> Option<Self> {
        if arguments.first() == Some(&tag::KEY_DIGEST) {
            return None;
        }
        let (identity, rest) = match arguments.split_at_checked(IDENTITY) {
            Some(parts) if arguments[0] == tag::IDENTITY => parts,
            _ => (&[][..], arguments),
        };
        let mut pieces = Vec::new();
        if !identity.is_empty() {
            pieces.push(Piece::Identity(identity.to_vec()));
        }
        pieces.extend(decode_all(rest).ok()?.into_iter().map(Piece::Value));
        Some(Self(pieces))
    }

    /// The places in which two keys differ; nothing if they have not the same number of pieces.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Option<Vec<usize>> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let places = 0..self.0.len();
        Some(places.filter(|at| self.0[*at] != other.0[*at]).collect())
    }

    /// The name of the type of the piece at a place, where the encoding says it.
    #[must_use]
    pub fn type_name(&self, at: usize) -> Option<String> {
        match self.0.get(at)? {
            Piece::Value(value) => type_name(value),
            Piece::Identity(_) => None,
        }
    }

    /// The one keyword in which two dicts of keywords at a place differ, if it is one, with the names of its types here and
    /// there, where it is in both and the encoding says them.
    #[must_use]
    pub fn differing_keyword(
        &self,
        other: &Self,
        at: usize,
    ) -> Option<(String, Option<(String, String)>)> {
        let (Piece::Value(Value::Dict(mine)), Piece::Value(Value::Dict(theirs))) =
            (self.0.get(at)?, other.0.get(at)?)
        else {
            return None;
        };
        let mut differing = mine
            .iter()
            .chain(theirs)
            .map(|(name, _)| name)
            .filter(|name| value_of(mine, name) != value_of(theirs, name));
        let name = differing.next()?;
        let Value::Str(text) = name else { return None };
        if differing.any(|other| other != name) {
            return None;
        }
        let types = value_of(mine, name).zip(value_of(theirs, name));
        let types = types.and_then(|(here, there)| type_name(here).zip(type_name(there)));
        Some((String::from_utf8_lossy(text).into_owned(), types))
    }
}

fn value_of<'a>(pairs: &'a [(Value, Value)], name: &Value) -> Option<&'a Value> {
    let found = pairs.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value)
}

/// The name of the type of a value, where the encoding says it.
fn type_name(value: &Value) -> Option<String> {
    let name = match value {
        Value::None => "NoneType",
        Value::Bool(_) => "bool",
        Value::Ellipsis => "ellipsis",
        Value::Int { .. } => "int",
        Value::Float(_) => "float",
        Value::Complex(..) => "complex",
        Value::Str(_) => "str",
        Value::Bytes(_) => "bytes",
        Value::ByteArray(_) => "bytearray",
        Value::Digest(tag::STR_DIGEST, ..) => "str",
        Value::Digest(tag::BYTES_DIGEST, ..) => "bytes",
        Value::Digest(tag::BYTEARRAY_DIGEST, ..) => "bytearray",
        Value::Tuple(_) => "tuple",
        Value::List(_) => "list",
        Value::Set(_) => "set",
        Value::FrozenSet(_) => "frozenset",
        Value::Dict(_) => "dict",
        Value::Class(_) => "type",
        Value::Record(class, _)
        | Value::Declared(class, _)
        | Value::Member(class, _)
        | Value::Flags(class, _) => {
            let (Class::Named(_, name) | Class::Numbered(_, name)) = class;
            name
        }
        Value::Digest(..) | Value::Known(..) | Value::Default(_) => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::*;

    fn pieces(write: impl FnOnce(&mut Writer)) -> Pieces {
        let mut writer = Writer::new();
        write(&mut writer);
        Pieces::of(writer.as_bytes()).expect("an encoding")
    }

    #[test]
    fn instances_by_address_are_a_piece() {
        let one = pieces(|writer| {
            writer.identity(0xFEED_BEEF_0000);
            writer.int(1);
        });
        let other = pieces(|writer| {
            writer.identity(0xFEED_BEEF_0040);
            writer.str("1");
        });
        assert_eq!(one.differing(&other), Some(vec![0, 1]));
        assert_eq!(one.type_name(0), None);
        assert_eq!(
            (one.type_name(1), other.type_name(1)),
            (Some("int".into()), Some("str".into()))
        );
    }

    #[test]
    fn of_keywords_the_one_that_differs_is_named() {
        let keywords = |pairs: &[(&str, i64)]| {
            pieces(|writer| {
                writer.open_dict(pairs.len()).expect("few");
                for (name, value) in pairs {
                    writer.str(name);
                    writer.int(*value);
                }
                writer.close_sorted();
            })
        };
        let one = keywords(&[("a", 1), ("b", 2)]);
        let types = Some(("int".to_owned(), "int".to_owned()));
        let other = keywords(&[("a", 1), ("b", 3)]);
        assert_eq!(one.differing_keyword(&other, 0), Some(("b".into(), types)));
        let fewer = keywords(&[("a", 1)]);
        assert_eq!(one.differing_keyword(&fewer, 0), Some(("b".into(), None)));
        assert_eq!(one.differing_keyword(&keywords(&[("a", 3)]), 0), None);
        assert_eq!(one.differing_keyword(&one, 0), None);
    }

    #[test]
    fn keys_of_other_lengths_are_not_compared() {
        assert_eq!(pieces(|_| {}).differing(&pieces(Writer::none)), None);
        assert_eq!(Pieces::of(&[tag::KEY_DIGEST]), None);
        assert_eq!(Pieces::of(&[0xFF]), None);
    }
}
