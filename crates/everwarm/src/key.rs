//! From Rust values to canonical bytes: the same that Python's values of the same meaning have.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;

use everwarm_core::key::tag::known;
pub use everwarm_core::key::{Limit, Writer};

/// A value that can be part of a key.
///
/// Different values of one type must be written differently, equal ones alike. `#[derive(ToKey)]` does that for structs
/// and enums whose parts can be part of a key. What the types of the standard library become is what Python's types are:
///
/// | Rust | written as |
/// |---|---|
/// | `bool`, integers, `f32` and `f64` | bool, int, float |
/// | `str`, `String`, `char` | str |
/// | `[u8]`, `Vec<u8>`, `[u8; N]` | bytes |
/// | other slices, `Vec`, arrays, `VecDeque`, `LinkedList` | list |
/// | tuples, `()` among them | tuple |
/// | `HashMap`, `BTreeMap`; `HashSet`, `BTreeSet` | dict; set |
/// | `Option<T>` | None, or what `T` is written as |
/// | `Ipv4Addr`, `Ipv6Addr`, `IpAddr` | `ipaddress.IPv4Address`, `ipaddress.IPv6Address` |
/// | references, `Box`, `Rc`, `Arc`, `Cow` | what they point to |
///
/// ```
/// use everwarm::{ToKey, key::Writer};
///
/// let mut writer = Writer::new();
/// ("sku", 5).write(&mut writer)?;
/// assert_eq!(writer.as_bytes(), b"\xb2\x43sku\x11\x05");
/// # Ok::<(), everwarm::key::Limit>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a key",
    label = "nothing says when two values of this type are the same",
    note = "hint: put `#[derive(everwarm::ToKey)]` on the type, or name what tells calls apart, as in `key = \"{{user.id}}\"`"
)]
pub trait ToKey {
    /// Whether one of the values is written as None, so that an `Option` of it would have two of them.
    const HAS_NONE: bool = false;

    /// Writes the one encoding of this value.
    ///
    /// # Errors
    /// [`Limit`] if the encoding is beyond what a key may be.
    fn write(&self, writer: &mut Writer) -> Result<(), Limit>;

    /// Writes a slice of such values, as a list unless the type says otherwise.
    ///
    /// # Errors
    /// [`Limit`], as for each value.
    fn write_slice(values: &[Self], writer: &mut Writer) -> Result<(), Limit>
    where
        Self: Sized,
    {
        write_list(values.iter(), writer)
    }
}

fn write_list<'a, T: ToKey + 'a>(
    values: impl ExactSizeIterator<Item = &'a T>,
    writer: &mut Writer,
) -> Result<(), Limit> {
    writer.open_list(values.len())?;
    for value in values {
        value.write(writer)?;
    }
    writer.close();
    Ok(())
}

fn write_set<'a, T: ToKey + 'a>(
    values: impl ExactSizeIterator<Item = &'a T>,
    writer: &mut Writer,
) -> Result<(), Limit> {
    writer.open_set(values.len())?;
    for value in values {
        value.write(writer)?;
        writer.part();
    }
    writer.close_sorted();
    Ok(())
}

fn write_dict<'a, K: ToKey + 'a, V: ToKey + 'a>(
    pairs: impl ExactSizeIterator<Item = (&'a K, &'a V)>,
    writer: &mut Writer,
) -> Result<(), Limit> {
    writer.open_dict(pairs.len())?;
    for (key, value) in pairs {
        key.write(writer)?;
        value.write(writer)?;
        writer.part();
    }
    writer.close_sorted();
    Ok(())
}

macro_rules! scalars {
    ($($type:ty: $value:ident, $writer:ident => $write:expr;)+) => {$(
        impl ToKey for $type {
            #[inline]
            fn write(&self, $writer: &mut Writer) -> Result<(), Limit> {
                let $value = self;
                $write;
                Ok(())
            }
        }
    )+};
}

scalars! {
    bool: value, writer => writer.bool(*value);
    i8: value, writer => writer.int((*value).into());
    i16: value, writer => writer.int((*value).into());
    i32: value, writer => writer.int((*value).into());
    i64: value, writer => writer.int(*value);
    isize: value, writer => i128::from(*value as i64).write(writer)?;
    i128: value, writer => writer.big_int(*value < 0, &value.unsigned_abs().to_le_bytes());
    u16: value, writer => writer.uint((*value).into());
    u32: value, writer => writer.uint((*value).into());
    u64: value, writer => writer.uint(*value);
    usize: value, writer => writer.uint(*value as u64);
    u128: value, writer => writer.big_int(false, &value.to_le_bytes());
    f32: value, writer => writer.float((*value).into());
    f64: value, writer => writer.float(*value);
    char: value, writer => writer.str(value.encode_utf8(&mut [0; 4]));
    str: value, writer => writer.str(value);
    String: value, writer => writer.str(value);
}

/// A slice of bytes is a byte string.
impl ToKey for u8 {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        writer.uint((*self).into());
        Ok(())
    }

    fn write_slice(values: &[Self], writer: &mut Writer) -> Result<(), Limit> {
        writer.bytes(values);
        Ok(())
    }
}

macro_rules! pointers {
    ($($type:ty),+) => {$(
        impl<T: ToKey + ?Sized> ToKey for $type {
            const HAS_NONE: bool = T::HAS_NONE;

            #[inline]
            fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
                (**self).write(writer)
            }
        }
    )+};
}

pointers!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: ToKey + ToOwned + ?Sized> ToKey for Cow<'_, T> {
    const HAS_NONE: bool = T::HAS_NONE;

    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        (**self).write(writer)
    }
}

/// An `Option` of what may itself be None does not compile: both would be written alike.
impl<T: ToKey> ToKey for Option<T> {
    const HAS_NONE: bool = true;

    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        const {
            assert!(
                !T::HAS_NONE,
                "an Option within an Option cannot be part of a key: None and Some(None) would be one"
            );
        }
        match self {
            Some(value) => value.write(writer),
            None => {
                writer.none();
                Ok(())
            }
        }
    }
}

impl<T: ToKey> ToKey for [T] {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        T::write_slice(self, writer)
    }
}

impl<T: ToKey, const N: usize> ToKey for [T; N] {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        T::write_slice(self, writer)
    }
}

impl<T: ToKey> ToKey for Vec<T> {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        T::write_slice(self, writer)
    }
}

impl<T: ToKey> ToKey for VecDeque<T> {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        write_list(self.iter(), writer)
    }
}

impl<T: ToKey> ToKey for LinkedList<T> {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        write_list(self.iter(), writer)
    }
}

impl<T: ToKey, S> ToKey for HashSet<T, S> {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        write_set(self.iter(), writer)
    }
}

impl<T: ToKey> ToKey for BTreeSet<T> {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        write_set(self.iter(), writer)
    }
}

impl<K: ToKey, V: ToKey, S> ToKey for HashMap<K, V, S> {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        write_dict(self.iter(), writer)
    }
}

impl<K: ToKey, V: ToKey> ToKey for BTreeMap<K, V> {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        write_dict(self.iter(), writer)
    }
}

fn write_address(class: &str, text: &str, writer: &mut Writer) -> Result<(), Limit> {
    writer.open_known(known::IP)?;
    writer.open_tuple(2)?;
    writer.str(class);
    writer.str(text);
    writer.close();
    writer.close();
    Ok(())
}

impl ToKey for Ipv4Addr {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        write_address("IPv4Address", &self.to_string(), writer)
    }
}

/// IPv4-mapped addresses are written as Python before 3.13 has them, all in hexadecimal.
impl ToKey for Ipv6Addr {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        let text = match (self.to_ipv4_mapped(), self.segments()) {
            (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
            (None, _) => self.to_string(),
        };
        write_address("IPv6Address", &text, writer)
    }
}

impl ToKey for IpAddr {
    fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
        match self {
            Self::V4(address) => address.write(writer),
            Self::V6(address) => address.write(writer),
        }
    }
}

macro_rules! tuples {
    ($($count:literal: $($type:ident $at:tt),*;)+) => {$(
        impl<$($type: ToKey),*> ToKey for ($($type,)*) {
            fn write(&self, writer: &mut Writer) -> Result<(), Limit> {
                writer.open_tuple($count)?;
                $(self.$at.write(writer)?;)*
                writer.close();
                Ok(())
            }
        }
    )+};
}

tuples! {
    0: ;
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
    7: A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}
