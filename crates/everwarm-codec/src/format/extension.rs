//! The extension types of the wire: their numbers, which are for ever, and what they hold.

use super::value::Value;

/// What the bytes of an extension are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes that the type itself explains.
    Raw,
    /// One value.
    One,
    /// One value that describes them, then bytes.
    Tail,
}

macro_rules! extensions {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $content:ident;)*) => {
        /// A type that plain MessagePack does not know.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Extension { $($(#[$doc])* $name = $number,)* }

        impl Extension {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The extension of a number.
            #[inline]
            #[must_use]
            pub const fn from_number(number: i8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What its bytes are.
            #[must_use]
            pub const fn content(self) -> Content {
                match self { $(Self::$name => Content::$content,)* }
            }
        }
    };
}

extensions! {
    /// An int beyond 64 bits.
    Int = 1, Raw;
    /// A tuple.
    Tuple = 2, One;
    /// A set.
    Set = 3, One;
    /// A frozenset.
    FrozenSet = 4, One;
    /// Bytes that can be changed.
    ByteArray = 5, Raw;
    /// A complex number.
    Complex = 6, Raw;
    /// A range of ints.
    Range = 7, One;
    /// A text with lone surrogates.
    Surrogates = 8, Raw;
    /// A day.
    Date = 16, One;
    /// A time of day.
    Time = 17, One;
    /// A day and a time.
    DateTime = 18, One;
    /// A duration.
    TimeDelta = 19, One;
    /// A zone by its offset.
    Offset = 20, One;
    /// A zone by its name.
    Zone = 21, One;
    /// A decimal number.
    Decimal = 22, Raw;
    /// A fraction.
    Fraction = 23, One;
    /// A universally unique identifier.
    Uuid = 24, Raw;
    /// A path.
    Path = 25, One;
    /// An address, network or interface of the internet protocol.
    Ip = 26, One;
    /// A zone of a library, by its offset.
    LibraryZone = 27, One;
    /// A dict whose order counts.
    OrderedDict = 32, One;
    /// A dict that makes what it lacks.
    DefaultDict = 33, One;
    /// A dict that counts.
    Counter = 34, One;
    /// A queue with two ends.
    Deque = 35, One;
    /// A member of an enumeration.
    Member = 48, One;
    /// Flags of an enumeration.
    Flags = 49, One;
    /// An instance of a class, by its fields.
    Record = 50, One;
    /// An array of numpy.
    Array = 64, Tail;
    /// A scalar of numpy.
    Scalar = 65, Tail;
    /// A view of memory.
    View = 66, Tail;
    /// An array of the standard library.
    Numbers = 67, Tail;
    /// A frame of pandas.
    PandasFrame = 72, Tail;
    /// A series of pandas.
    PandasSeries = 73, Tail;
    /// A frame of polars.
    PolarsFrame = 74, Tail;
    /// A series of polars.
    PolarsSeries = 75, Tail;
    /// A table of Arrow.
    ArrowTable = 76, Tail;
    /// A time of pandas, or one of its marks for what is missing.
    PandasScalar = 77, One;
}

impl Extension {
    /// The number on the wire.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether bytes can be those of this extension.
    #[must_use]
    pub fn takes(self, bytes: &[u8]) -> bool {
        match self {
            Self::Int => matches!(bytes, [.., before, last]
                if bytes.len() > 8 && !(*last == 0 && *before < 0x80 || *last == 0xff && *before >= 0x80)),
            Self::Complex => bytes.len() == 16,
            Self::Uuid => bytes.len() == 16 || bytes.len() == 17,
            Self::Decimal => bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)),
            _ => true,
        }
    }

    /// Whether a value can be what this extension holds.
    pub(super) fn fits(self, value: &Value) -> bool {
        use Value::{Dict, List, None, Text};
        let int = |value: &Value| matches!(value, Value::Int(_) | Value::Raw(Self::Int, _));
        let text = |value: &Value| matches!(value, Text(_) | Value::Raw(Self::Surrogates, _));
        let zone = |value: &Value| {
            matches!(
                value,
                None | Value::One(Self::Offset | Self::Zone | Self::LibraryZone, _)
            )
        };
        match (self, value) {
            (Self::Tuple | Self::Set | Self::FrozenSet, List(_)) => true,
            (Self::Range | Self::Date | Self::TimeDelta, List(parts)) => {
                parts.len() == 3 && parts.iter().all(int)
            }
            (Self::Time, List(parts)) => {
                parts.len() == 6 && parts[..5].iter().all(int) && zone(&parts[5])
            }
            (Self::DateTime, List(parts)) => {
                parts.len() == 9 && parts[..8].iter().all(int) && zone(&parts[8])
            }
            (Self::Offset, List(parts)) => {
                matches!(&parts[..], [offset] if int(offset))
                    || matches!(&parts[..], [offset, name] if int(offset) && text(name))
            }
            (Self::LibraryZone, List(parts)) => {
                matches!(&parts[..], [Text(_), offset] if int(offset))
                    || matches!(&parts[..], [Text(_), offset, name] if int(offset) && text(name))
            }
            (Self::Zone, Text(_)) | (Self::OrderedDict | Self::Counter, Dict(_)) => true,
            (Self::Fraction, List(parts)) => parts.len() == 2 && parts.iter().all(int),
            (Self::Path | Self::Ip, List(parts)) => {
                matches!(&parts[..], [Text(_), value] if text(value))
            }
            (Self::DefaultDict, List(parts)) => {
                matches!(&parts[..], [None | Text(_), Dict(_)])
            }
            (Self::PandasScalar, List(parts)) => matches!(&parts[..], [Text(_), ..]),
            (Self::Deque, List(parts)) => {
                matches!(&parts[..], [most, List(_)] if *most == None || int(most))
            }
            (Self::Member, List(parts)) => matches!(&parts[..], [Text(_), Text(_)]),
            (Self::Flags, List(parts)) => {
                matches!(&parts[..], [Text(_), value] if int(value))
            }
            (Self::Record, List(parts)) => {
                matches!(&parts[..], [Text(_), Dict(fields)] if fields.iter().all(|(name, _)| matches!(name, Text(_))))
            }
            _ => self.content() == Content::Tail,
        }
    }
}
