//! Values of the standard library, made from what the bytes say of them.

use everwarm_codec::format::{Extension, Malformed};
use pyo3::prelude::*;
use pyo3::types::{
    PyBytes, PyDate, PyDateTime, PyDelta, PyDict, PyInt, PyList, PyRange, PyString, PyTime,
    PyTzInfo,
};

use crate::lasting::Lasting;
use crate::lasting::intern;
use crate::modules;

use super::decode::{Read, Stop};
use super::library::FACTORIES;
use super::tail::FRAMES;

type Parts<'a, 'py> = &'a [Bound<'py, PyAny>];

/// Integers of fractions are at most so long: making one looks for what both can be divided by.
const LONGEST_FRACTION: u64 = 8 * 1024;

fn wrong(extension: Extension) -> Stop {
    Malformed::Content(extension).into()
}

/// What a module has under a name, imported if need be. The names are ours, never those of the data.
fn from_module<'py>(py: Python<'py>, module: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    modules::own(py, module)?.getattr(name)
}

/// The value of an extension whose one value is a list.
pub(super) fn of_parts<'py>(
    py: Python<'py>,
    extension: Extension,
    parts: Parts<'_, 'py>,
) -> Read<'py> {
    match (extension, parts) {
        (Extension::Range, [start, stop, step]) => {
            if ![start, stop, step]
                .iter()
                .all(|part| part.is_exact_instance_of::<PyInt>())
            {
                return Err(wrong(extension));
            }
            Ok(py.get_type::<PyRange>().call1((start, stop, step))?)
        }
        (Extension::Date | Extension::Time | Extension::DateTime, parts) => {
            moment(py, extension, parts)
        }
        (Extension::TimeDelta | Extension::Offset, parts) => span(py, extension, parts),
        (Extension::LibraryZone, [class, micros, name @ ..]) if name.len() <= 1 => {
            let class: &str = class.extract().map_err(|_| wrong(extension))?;
            let name = match name {
                [name] => Some(name.cast_exact::<PyString>().map_err(PyErr::from)?),
                _ => None,
            };
            library_zone(py, class, int(micros)?, name)?.ok_or_else(|| wrong(extension))
        }
        (Extension::Fraction, [numerator, denominator]) => fraction(numerator, denominator),
        (Extension::Path, [name, text]) => named(
            extension,
            "pathlib",
            &[
                "PosixPath",
                "WindowsPath",
                "PurePosixPath",
                "PureWindowsPath",
            ],
            name,
            text,
        ),
        (Extension::Ip, [name, text]) => named(
            extension,
            "ipaddress",
            &[
                "IPv4Address",
                "IPv6Address",
                "IPv4Network",
                "IPv6Network",
                "IPv4Interface",
                "IPv6Interface",
            ],
            name,
            text,
        ),
        (Extension::PandasScalar, parts) => {
            let parts = PyList::new(py, parts)?;
            Ok(from_module(py, FRAMES, "scalar_of")?.call1((parts,))?)
        }
        (Extension::DefaultDict, [factory, dict]) => default_dict(factory, dict),
        (Extension::Deque, [most, items]) => {
            if !items.is_exact_instance_of::<PyList>() {
                return Err(wrong(extension));
            }
            let deque = from_module(py, "collections", "deque")?.call1((items, most))?;
            if deque.len()? == items.len()? {
                Ok(deque)
            } else {
                Err(wrong(extension))
            }
        }
        _ => Err(wrong(extension)),
    }
}

/// A day, a time, or both.
fn moment<'py>(py: Python<'py>, extension: Extension, parts: Parts<'_, 'py>) -> Read<'py> {
    match (extension, parts) {
        (Extension::Date, [year, month, day]) => {
            let date = PyDate::new(py, int(year)?, int(month)?, int(day)?)?;
            Ok(date.into_any())
        }
        (Extension::Time, [hour, minute, second, micro, fold, zone]) => {
            let zone = zone_of(extension, zone)?;
            let [hour, minute, second, fold] = small([hour, minute, second, fold])?;
            let fold = fold_of(extension, fold)?;
            let time = PyTime::new_with_fold(py, hour, minute, second, int(micro)?, zone, fold)?;
            Ok(time.into_any())
        }
        (Extension::DateTime, [year, month, day, hour, minute, second, micro, fold, zone]) => {
            let zone = zone_of(extension, zone)?;
            let [month, day, hour, minute, second, fold] =
                small([month, day, hour, minute, second, fold])?;
            let fold = fold_of(extension, fold)?;
            let time = PyDateTime::new_with_fold(
                py,
                int(year)?,
                month,
                day,
                hour,
                minute,
                second,
                int(micro)?,
                zone,
                fold,
            )?;
            Ok(time.into_any())
        }
        _ => Err(wrong(extension)),
    }
}

/// A duration, or a zone by its offset.
fn span<'py>(py: Python<'py>, extension: Extension, parts: Parts<'_, 'py>) -> Read<'py> {
    match (extension, parts) {
        (Extension::TimeDelta, [days, seconds, micros]) => {
            let (seconds, micros) = (int::<i32>(seconds)?, int::<i32>(micros)?);
            if !(0..86_400).contains(&seconds) || !(0..1_000_000).contains(&micros) {
                return Err(wrong(extension));
            }
            Ok(PyDelta::new(py, int(days)?, seconds, micros, false)?.into_any())
        }
        (Extension::Offset, [offset, name @ ..]) if name.len() <= 1 => {
            let delta = delta_of(py, int(offset)?)?.ok_or_else(|| wrong(extension))?;
            let class = from_module(py, "datetime", "timezone")?;
            Ok(match name {
                [name] => class.call1((delta, name))?,
                _ => class.call1((delta,))?,
            })
        }
        _ => Err(wrong(extension)),
    }
}

/// A duration of so many microseconds; `None` if it is too long for one.
fn delta_of(py: Python<'_>, micros: i64) -> PyResult<Option<Bound<'_, PyDelta>>> {
    let Ok(days) = i32::try_from(micros.div_euclid(86_400_000_000)) else {
        return Ok(None);
    };
    let rest = micros.rem_euclid(86_400_000_000);
    let (seconds, micros) = ((rest / 1_000_000) as i32, (rest % 1_000_000) as i32);
    PyDelta::new(py, days, seconds, micros, false).map(Some)
}

/// The microseconds of a day: no offset has as many.
const DAY: u64 = 86_400_000_000;

/// The classes of zones that libraries have, by their names in the specification.
pub(super) const PYDANTIC: &str = "pydantic_core.TzInfo";
pub(super) const TZUTC: &str = "dateutil.tzutc";
pub(super) const TZOFFSET: &str = "dateutil.tzoffset";

/// The zone of a library; `None` if there is none of this kind.
pub(super) fn library_zone<'py>(
    py: Python<'py>,
    class: &str,
    micros: i64,
    name: Option<&Bound<'py, PyString>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(match (class, micros, name) {
        _ if micros.unsigned_abs() >= DAY => None,
        (PYDANTIC, _, None) if micros % 1_000_000 == 0 => {
            let class = from_module(py, "pydantic_core", "TzInfo")?;
            Some(class.call1((micros / 1_000_000,))?)
        }
        (TZUTC, 0, None) => Some(from_module(py, "dateutil.tz", "tzutc")?.call0()?),
        (TZOFFSET, _, name) => match delta_of(py, micros)? {
            Some(delta) => Some(from_module(py, "dateutil.tz", "tzoffset")?.call1((name, delta))?),
            None => None,
        },
        _ => None,
    })
}

fn int<'py, T>(part: &Bound<'py, PyAny>) -> Result<T, Stop>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    Ok(part.cast_exact::<PyInt>().map_err(PyErr::from)?.extract()?)
}

fn small<const N: usize>(parts: [&Bound<'_, PyAny>; N]) -> Result<[u8; N], Stop> {
    let mut numbers = [0; N];
    for (number, part) in numbers.iter_mut().zip(parts) {
        *number = int(part)?;
    }
    Ok(numbers)
}

fn fold_of(extension: Extension, fold: u8) -> Result<bool, Stop> {
    match fold {
        0 | 1 => Ok(fold == 1),
        _ => Err(wrong(extension)),
    }
}

fn zone_of<'a, 'py>(
    extension: Extension,
    zone: &'a Bound<'py, PyAny>,
) -> Result<Option<&'a Bound<'py, PyTzInfo>>, Stop> {
    if zone.is_none() {
        return Ok(None);
    }
    Ok(Some(zone.cast::<PyTzInfo>().map_err(|_| wrong(extension))?))
}

/// The zone of a name: its file is looked for where zones are, so the name may hold nothing but what such names hold.
pub(super) fn zone<'py>(key: &Bound<'py, PyAny>) -> Read<'py> {
    let text: &str = key.extract().map_err(|_| wrong(Extension::Zone))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(plain) {
        return Err(wrong(Extension::Zone));
    }
    Ok(from_module(key.py(), "zoneinfo", "ZoneInfo")?.call1((key,))?)
}

pub(super) fn decimal<'py>(py: Python<'py>, bytes: &[u8]) -> Read<'py> {
    static DECIMAL: Lasting<Py<PyAny>> = Lasting::new();
    let class = DECIMAL.get_or_try_init(py, || {
        from_module(py, "decimal", "Decimal").map(Bound::unbind)
    })?;
    let text = PyString::from_bytes(py, bytes)?;
    let made = class.bind(py).call1((&text,))?;
    // A text that stands for no number gives another text, or raises.
    if made.str()?.as_any().eq(&text)? {
        Ok(made)
    } else {
        Err(wrong(Extension::Decimal))
    }
}

pub(super) fn uuid<'py>(py: Python<'py>, bytes: &[u8]) -> Read<'py> {
    static UUID: Lasting<Py<PyAny>> = Lasting::new();
    let class = UUID.get_or_try_init(py, || from_module(py, "uuid", "UUID").map(Bound::unbind))?;
    let given = PyDict::new(py);
    given.set_item(intern!(py, "bytes"), PyBytes::new(py, &bytes[..16]))?;
    if let Some(&safe) = bytes.get(16) {
        let safe = from_module(py, "uuid", "SafeUUID")?.call1((safe.cast_signed(),))?;
        given.set_item(intern!(py, "is_safe"), safe)?;
    }
    Ok(class.bind(py).call((), Some(&given))?)
}

fn fraction<'py>(numerator: &Bound<'py, PyAny>, denominator: &Bound<'py, PyAny>) -> Read<'py> {
    let py = numerator.py();
    for part in [numerator, denominator] {
        let int = part.cast_exact::<PyInt>().map_err(PyErr::from)?;
        let bits: u64 = int.call_method0(intern!(py, "bit_length"))?.extract()?;
        if bits > LONGEST_FRACTION * 8 {
            return Err(wrong(Extension::Fraction));
        }
    }
    let made = from_module(py, "fractions", "Fraction")?.call1((numerator, denominator))?;
    if made.getattr("numerator")?.eq(numerator)? && made.getattr("denominator")?.eq(denominator)? {
        Ok(made)
    } else {
        Err(wrong(Extension::Fraction))
    }
}

/// A class by its name, made from a text that it gives back.
fn named<'py>(
    extension: Extension,
    module: &str,
    names: &[&str],
    name: &Bound<'py, PyAny>,
    text: &Bound<'py, PyAny>,
) -> Read<'py> {
    let name: &str = name.extract().map_err(|_| wrong(extension))?;
    if !names.contains(&name) || !text.is_exact_instance_of::<PyString>() {
        return Err(wrong(extension));
    }
    let made = from_module(text.py(), module, name)?.call1((text,))?;
    if made.str()?.as_any().eq(text)? {
        Ok(made)
    } else {
        Err(wrong(extension))
    }
}

/// The mapping of the type that is no dict, from the pairs.
pub(super) fn mapping<'py>(
    extension: Extension,
    dict: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = dict.py();
    if extension == Extension::OrderedDict {
        return from_module(py, "collections", "OrderedDict")?.call1((dict,));
    }
    let counter = from_module(py, "collections", "Counter")?.call0()?;
    // Its constructor would count on, its own way.
    py.get_type::<PyDict>()
        .call_method1(intern!(py, "update"), (&counter, dict))?;
    Ok(counter)
}

fn default_dict<'py>(factory: &Bound<'py, PyAny>, dict: &Bound<'py, PyAny>) -> Read<'py> {
    let py = dict.py();
    let extension = Extension::DefaultDict;
    if !dict.is_exact_instance_of::<PyDict>() {
        return Err(wrong(extension));
    }
    let factory = if factory.is_none() {
        factory.clone()
    } else {
        let name: &str = factory.extract().map_err(|_| wrong(extension))?;
        if !FACTORIES.contains(&name) {
            return Err(wrong(extension));
        }
        from_module(py, "builtins", name)?
    };
    Ok(from_module(py, "collections", "defaultdict")?.call1((factory, dict))?)
}
