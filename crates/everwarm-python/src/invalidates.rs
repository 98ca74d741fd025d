//! What a writer invalidates: texts from the arguments of its call.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::arguments::Spread;
use crate::parameter::Parameter;
use crate::signature::{Signature, Unkeyed};
use crate::terms::TagSource;

/// Texts, templates or a callable, to be filled from the arguments of a function.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Texts {
    source: TagSource,
    signature: Signature,
}

#[pymethods]
impl Texts {
    #[new]
    fn new(source: &Bound<'_, PyAny>, parameters: Vec<Parameter>) -> PyResult<Self> {
        let signature = Signature::new(parameters);
        let texts = TagSource::new(source)?;
        texts.check(source.py(), &signature)?;
        Ok(Self {
            source: texts,
            signature,
        })
    }

    /// The texts for a call; none for arguments that do not fit, of which the function itself says what is wrong.
    fn of(
        &self,
        arguments: &Bound<'_, PyTuple>,
        keywords: &Bound<'_, PyDict>,
    ) -> PyResult<Vec<String>> {
        let filled = Spread::new(arguments, keywords)?
            .with(arguments.py(), |call| self.source.of(call, &self.signature));
        match filled {
            Ok(texts) => Ok(texts.iter().map(ToString::to_string).collect()),
            Err(Unkeyed::Misfit | Unkeyed::Nobody) => Ok(Vec::new()),
            Err(Unkeyed::Refused(error)) => Err(error),
        }
    }
}
