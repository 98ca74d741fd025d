//! The types of pandas, by content.

use everwarm_core::key::{Writer, tag::known};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyType};

use crate::lasting::intern;

use super::classes::{derives, imported};
use super::refusal::{At, CHOOSE, Encoded, Of, Stop};
use super::shape::{Reader, Shape};
use super::walk::{elements, encode, fields, single};

/// The shape of a type of pandas.
pub(super) fn find(class: &Bound<'_, PyType>) -> Result<Option<Shape>, Stop> {
    let (module, name) = (class.module()?, class.name()?);
    let (Ok(module), Ok(name)) = (module.to_str(), name.to_str()) else {
        return Ok(None);
    };
    if module.split('.').next() != Some("pandas") {
        return Ok(None);
    }
    let reader: Reader = match name {
        "Series" => series,
        "DataFrame" => frame,
        "Timestamp" => |obj, writer| {
            fields(
                obj,
                known::PANDAS_TIMESTAMP,
                &["asm8", "fold", "tzinfo"],
                writer,
            )
        },
        "Timedelta" => |obj, writer| fields(obj, known::PANDAS_TIMEDELTA, &["asm8"], writer),
        "NaTType" | "NAType" => missing,
        "Index" | "RangeIndex" | "MultiIndex" | "CategoricalIndex" | "DatetimeIndex"
        | "TimedeltaIndex" => index,
        _ => return Ok(None),
    };
    // The two markers are known by the one instance that each has.
    let genuine = match name {
        "NaTType" => {
            imported(class.py(), "pandas", "NaT")?.is_some_and(|nat| nat.get_type().is(class))
        }
        "NAType" => imported(class.py(), "pandas", "NA")?.is_some_and(|na| na.get_type().is(class)),
        _ => imported(class.py(), "pandas", name)?.is_some_and(|found| found.is(class)),
    };
    Ok(genuine.then_some(Shape::Known(reader)))
}

fn missing(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    single(
        obj,
        known::PANDAS_MISSING,
        obj.get_type().name()?.as_any(),
        writer,
    )
}

fn series(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    writer.open_known(known::PANDAS_SERIES).of(obj)?;
    writer.open_tuple(3).of(obj)?;
    encode(&obj.getattr(intern!(py, "name"))?, writer).at(|| ".name".to_owned())?;
    encode(&obj.getattr(intern!(py, "index"))?, writer).at(|| ".index".to_owned())?;
    column(obj, writer)?;
    writer.close();
    writer.close();
    Ok(())
}

fn frame(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    let columns = obj.getattr(intern!(py, "columns"))?;
    let places = obj.getattr(intern!(py, "iloc"))?;
    let all = pyo3::types::PySlice::full(py);
    writer.open_known(known::PANDAS_FRAME).of(obj)?;
    writer.open_tuple(3).of(obj)?;
    encode(&obj.getattr(intern!(py, "index"))?, writer).at(|| ".index".to_owned())?;
    encode(&columns, writer).at(|| ".columns".to_owned())?;
    let count = columns.len()?;
    writer.open_list(count).of(obj)?;
    for at in 0..count {
        column(&places.get_item((&all, at))?, writer).at(|| format!(".iloc[:, {at}]"))?;
    }
    writer.close();
    writer.close();
    writer.close();
    Ok(())
}

fn index(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    let class = obj.get_type().name()?;
    let names = elements(&obj.getattr(intern!(py, "names"))?)?;
    writer.open_known(known::PANDAS_INDEX).of(obj)?;
    writer.open_tuple(3).of(obj)?;
    encode(class.as_any(), writer)?;
    encode(PyList::new(py, &names)?.as_any(), writer).at(|| ".names".to_owned())?;
    match class.to_str()? {
        "RangeIndex" => {
            writer.open_tuple(3).of(obj)?;
            for name in ["start", "stop", "step"] {
                encode(&obj.getattr(name)?, writer)?;
            }
            writer.close();
        }
        "MultiIndex" => {
            writer.open_tuple(names.len()).of(obj)?;
            for at in 0..names.len() {
                let level = obj.call_method1(intern!(py, "get_level_values"), (at,))?;
                encode(&level, writer).at(|| format!(".levels[{at}]"))?;
            }
            writer.close();
        }
        _ => column(obj, writer)?,
    }
    writer.close();
    writer.close();
    Ok(())
}

/// The values of a series or an index: an array where numpy holds them, else the dtype and what it takes.
fn column(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    let dtype = obj.getattr(intern!(py, "dtype"))?;
    if derives(&dtype.get_type(), "numpy", "dtype")? {
        return encode(&obj.call_method0(intern!(py, "to_numpy"))?, writer);
    }
    let text = dtype.str()?;
    if text.to_str()?.starts_with("time64") {
        return Err(Stop::refuse(
            obj,
            "Python's time is coarser than its dtype",
            CHOOSE,
        ));
    }
    if text.to_str()? == "category" {
        let values = obj.getattr(intern!(py, "array"))?;
        return tuple(
            obj,
            &text,
            &["categories", "codes", "ordered"],
            &values,
            writer,
        );
    }
    writer.open_tuple(2).of(obj)?;
    encode(&text, writer)?;
    encode(&obj.call_method0(intern!(py, "tolist"))?, writer)?;
    writer.close();
    Ok(())
}

fn tuple(
    obj: &Bound<'_, PyAny>,
    text: &Bound<'_, PyString>,
    names: &[&str],
    holder: &Bound<'_, PyAny>,
    writer: &mut Writer,
) -> Encoded {
    writer.open_tuple(1 + names.len()).of(obj)?;
    encode(text, writer)?;
    for name in names {
        encode(&holder.getattr(*name)?, writer).at(|| format!(".{name}"))?;
    }
    writer.close();
    Ok(())
}
