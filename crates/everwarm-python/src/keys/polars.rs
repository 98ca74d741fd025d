//! The types of polars, by content.

use everwarm_core::key::{Writer, tag::known};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::lasting::intern;

use super::classes::imported;
use super::refusal::{At, CHOOSE, Encoded, Of, Stop};
use super::shape::{Reader, Shape};
use super::walk::{encode, values};

/// The numbers that numpy has as well.
const NUMBERS: [&str; 10] = [
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
];

/// The shape of a type of polars.
pub(super) fn find(class: &Bound<'_, PyType>) -> Result<Option<Shape>, Stop> {
    let (module, name) = (class.module()?, class.name()?);
    let (Ok(module), Ok(name)) = (module.to_str(), name.to_str()) else {
        return Ok(None);
    };
    if module.split('.').next() != Some("polars") {
        return Ok(None);
    }
    let reader: Reader = match name {
        "Series" => series,
        "DataFrame" => frame,
        _ => return Ok(None),
    };
    let genuine = imported(class.py(), "polars", name)?.is_some_and(|found| found.is(class));
    Ok(genuine.then_some(Shape::Known(reader)))
}

fn series(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    let dtype = obj.getattr(intern!(py, "dtype"))?;
    let text = dtype.str()?;
    let is = |what: &str| dtype.call_method0(what)?.is_truthy();
    // As Python objects, times would lose what they have below a microsecond.
    let temporal = is("is_temporal")?;
    if is("is_nested")?
        && ["'ns'", "Time"]
            .iter()
            .any(|fine| text.to_str().is_ok_and(|text| text.contains(fine)))
    {
        return Err(Stop::refuse(
            obj,
            "Python's time is coarser than its dtype",
            CHOOSE,
        ));
    }
    let content = if temporal {
        obj.call_method0(intern!(py, "to_physical"))?
    } else {
        obj.clone()
    };
    let whole = content
        .call_method0(intern!(py, "null_count"))?
        .extract::<u64>()?
        == 0;
    let number = temporal || text.to_str().is_ok_and(|text| NUMBERS.contains(&text));
    let read = if number && whole {
        intern!(py, "to_numpy")
    } else {
        intern!(py, "to_list")
    };
    let content = content.call_method0(read)?;
    values(
        obj,
        known::POLARS_SERIES,
        &[obj.getattr(intern!(py, "name"))?, text.into_any(), content],
        writer,
    )
}

fn frame(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    writer.open_known(known::POLARS_FRAME).of(obj)?;
    writer.open_tuple(2).of(obj)?;
    encode(&obj.getattr(intern!(py, "height"))?, writer)?;
    let columns: Vec<Bound<'_, PyAny>> = obj.call_method0(intern!(py, "get_columns"))?.extract()?;
    writer.open_list(columns.len()).of(obj)?;
    for (at, column) in columns.iter().enumerate() {
        encode(column, writer).at(|| format!("[{at}]"))?;
    }
    writer.close();
    writer.close();
    writer.close();
    Ok(())
}
