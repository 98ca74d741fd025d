//! A tree of values: what an encoding says, and what it is made from where there is no host language.

use std::fmt;

use super::{Limit, Writer, tag};

/// The name of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// A module and the qualified name that leads to the class in it.
    Named(String, String),
    /// A number of this process, for a class that no name leads to, and its qualified name.
    Numbered(u64, String),
}

impl Class {
    /// The name as [`Writer::open_record`] and its neighbours take it.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Self::Named(module, _) => writer.str(module),
            Self::Numbered(number, _) => writer.uint(*number),
        }
        let (Self::Named(_, qualname) | Self::Numbered(_, qualname)) = self;
        writer.str(qualname);
        writer.as_bytes().to_vec()
    }
}

/// A value of the canonical encoding. Sets and maps hold their parts in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// `Ellipsis`.
    Ellipsis,
    /// An integer: sign and magnitude, least significant byte first.
    Int {
        /// Whether it is below zero.
        negative: bool,
        /// The magnitude without zeros at its end.
        magnitude: Vec<u8>,
    },
    /// The bits of a float.
    Float(u64),
    /// The bits of the two parts of a complex number.
    Complex(u64, u64),
    /// A text in generalized UTF-8.
    Str(Vec<u8>),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A mutable byte string.
    ByteArray(Vec<u8>),
    /// Content that entered as its digest: the tag, the length, the digest.
    Digest(u8, usize, [u8; 32]),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A list.
    List(Vec<Value>),
    /// A set.
    Set(Vec<Value>),
    /// A frozen set.
    FrozenSet(Vec<Value>),
    /// A map.
    Dict(Vec<(Value, Value)>),
    /// A type known by number, with its content.
    Known(u8, Box<Value>),
    /// An object by its fields.
    Record(Class, Vec<(String, Value)>),
    /// An object by the key it declares.
    Declared(Class, Box<Value>),
    /// A class.
    Class(Class),
    /// A member of an enumeration, with its name.
    Member(Class, Box<Value>),
    /// A combination of flags, with its integer.
    Flags(Class, Box<Value>),
    /// The default of a parameter.
    Default(String),
}

impl Value {
    /// Writes the canonical encoding of this tree.
    ///
    /// # Errors
    ///
    /// [`Limit`] when the tree is too deep or too large.
    pub fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        match self {
            Self::None => writer.none(),
            Self::Bool(value) => writer.bool(*value),
            Self::Ellipsis => writer.ellipsis(),
            Self::Int {
                negative,
                magnitude,
            } => writer.big_int(*negative, magnitude),
            Self::Float(bits) => writer.float(f64::from_bits(*bits)),
            Self::Complex(real, imag) => {
                writer.complex(f64::from_bits(*real), f64::from_bits(*imag))
            }
            Self::Str(text) => writer.text(text),
            Self::Bytes(bytes) => writer.bytes(bytes),
            Self::ByteArray(bytes) => writer.bytearray(bytes),
            Self::Digest(tag, len, digest) => writer.digest(*tag, *len, digest),
            Self::Class(class) => writer.class(&class.encoded()),
            Self::Default(name) => writer.default_of(name),
            _ => self.write_container(writer)?,
        }
        Ok(())
    }

    fn write_container(&self, writer: &mut Writer) -> Result<(), Limit> {
        match self {
            Self::Tuple(values) => writer.open_tuple(values.len())?,
            Self::List(values) => writer.open_list(values.len())?,
            Self::Set(values) => writer.open_set(values.len())?,
            Self::FrozenSet(values) => writer.open_frozenset(values.len())?,
            Self::Dict(pairs) => writer.open_dict(pairs.len())?,
            Self::Known(number, _) => writer.open_known(*number)?,
            Self::Record(class, fields) => writer.open_record(&class.encoded(), fields.len())?,
            Self::Declared(class, _) => writer.open_declared(&class.encoded())?,
            Self::Member(class, _) => writer.open_member(&class.encoded())?,
            Self::Flags(class, _) => writer.open_flags(&class.encoded())?,
            _ => return self.write(writer),
        }
        self.write_content(writer)
    }

    fn write_content(&self, writer: &mut Writer) -> Result<(), Limit> {
        match self {
            Self::Tuple(values) | Self::List(values) => {
                values.iter().try_for_each(|value| value.write(writer))?;
            }
            Self::Set(values) | Self::FrozenSet(values) => {
                for value in values {
                    value.write(writer)?;
                    writer.part();
                }
                writer.close_sorted();
                return Ok(());
            }
            Self::Dict(pairs) => {
                for (key, value) in pairs {
                    key.write(writer)?;
                    value.write(writer)?;
                    writer.part();
                }
                writer.close_sorted();
                return Ok(());
            }
            Self::Record(_, fields) => {
                for (name, value) in fields {
                    writer.str(name);
                    value.write(writer)?;
                }
            }
            Self::Known(_, content)
            | Self::Declared(_, content)
            | Self::Member(_, content)
            | Self::Flags(_, content) => content.write(writer)?,
            _ => return self.write(writer),
        }
        writer.close();
        Ok(())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(module, qualname) => write!(out, "{module}.{qualname}"),
            Self::Numbered(number, qualname) => write!(out, "{qualname}#{number}"),
        }
    }
}

impl fmt::Display for Value {
    /// A form for people: readable, and no encoding.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Bool(value) => out.write_str(if *value { "True" } else { "False" }),
            Self::Ellipsis => out.write_str("..."),
            Self::Int {
                negative,
                magnitude,
            } => show_int(out, *negative, magnitude),
            Self::Float(bits) => write!(out, "{:?}", f64::from_bits(*bits)),
            Self::Complex(real, imag) => write!(
                out,
                "({:?}, {:?}j)",
                f64::from_bits(*real),
                f64::from_bits(*imag)
            ),
            Self::Str(text) => write!(out, "{:?}", String::from_utf8_lossy(text)),
            Self::Bytes(bytes) => write!(out, "b\"{}\"", bytes.escape_ascii()),
            Self::ByteArray(bytes) => write!(out, "bytearray(b\"{}\")", bytes.escape_ascii()),
            Self::Digest(tag, len, digest) => show_digest(out, *tag, *len, digest),
            Self::Tuple(values) => {
                show(out, "(", values, if values.len() == 1 { ",)" } else { ")" })
            }
            Self::List(values) => show(out, "[", values, "]"),
            Self::Set(values) => show(out, "{", values, "}"),
            Self::FrozenSet(values) => show(out, "frozenset({", values, "})"),
            Self::Dict(pairs) => {
                out.write_str("{")?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    write!(out, "{}{key}: {value}", if at > 0 { ", " } else { "" })?;
                }
                out.write_str("}")
            }
            Self::Known(number, content) => write!(out, "known {number}({content})"),
            Self::Record(class, fields) => {
                write!(out, "{class}(")?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    write!(out, "{}{name}={value}", if at > 0 { ", " } else { "" })?;
                }
                out.write_str(")")
            }
            Self::Declared(class, key) => write!(out, "{class}<{key}>"),
            Self::Class(class) => write!(out, "{class}"),
            Self::Member(class, name) => write!(out, "{class}[{name}]"),
            Self::Flags(class, value) => write!(out, "{class}({value})"),
            Self::Default(name) => write!(out, "default of {name}"),
        }
    }
}

fn show(out: &mut fmt::Formatter<'_>, open: &str, values: &[Value], close: &str) -> fmt::Result {
    out.write_str(open)?;
    for (at, value) in values.iter().enumerate() {
        write!(out, "{}{value}", if at > 0 { ", " } else { "" })?;
    }
    out.write_str(close)
}

fn show_int(out: &mut fmt::Formatter<'_>, negative: bool, magnitude: &[u8]) -> fmt::Result {
    out.write_str(if negative { "-" } else { "" })?;
    let mut word = [0; 16];
    match word.get_mut(..magnitude.len()) {
        Some(low) => {
            low.copy_from_slice(magnitude);
            write!(out, "{}", u128::from_le_bytes(word))
        }
        None => {
            out.write_str("0x")?;
            magnitude
                .iter()
                .rev()
                .try_for_each(|byte| write!(out, "{byte:02x}"))
        }
    }
}

fn show_digest(
    out: &mut fmt::Formatter<'_>,
    tag: u8,
    len: usize,
    digest: &[u8; 32],
) -> fmt::Result {
    let kind = match tag {
        tag::STR_DIGEST => "str",
        tag::BYTES_DIGEST => "bytes",
        tag::BYTEARRAY_DIGEST => "bytearray",
        _ => "arguments",
    };
    write!(out, "<{kind} of {len} bytes, ")?;
    digest[..8]
        .iter()
        .try_for_each(|byte| write!(out, "{byte:02x}"))?;
    out.write_str(">")
}
