//! Binding: which argument belongs to which parameter, worked out once per shape of call.
//!
//! A shape is the number of positional arguments and the names of the others. For each shape a function keeps where each
//! parameter's value comes from, so that `f(1)`, `f(x=1)` and an explicit default write the same bytes, in the order of the
//! signature, without asking Python anything.

use std::sync::OnceLock;

use everwarm_core::key::{Part, Short, Writer};
use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use crate::arguments::Arguments;
use crate::parameter::{Kind, Parameter, Treatment};
use crate::shape::{Shape, Source, Step};
use crate::{calling, instances, keys, texts};

/// Shapes kept per function; calls of further shapes are bound anew each time.
const SHAPES: usize = 16;
/// Types of instances known to be keyed by identity, kept per function.
const IDENTITIES: usize = 4;

/// What a function takes.
pub(crate) struct Signature {
    parameters: Box<[Parameter]>,
    /// The number of positional arguments that fill a signature of plain parameters, each given by position.
    plain: Option<usize>,
    shapes: [OnceLock<Shape>; SHAPES],
    identities: [OnceLock<Py<PyType>>; IDENTITIES],
    /// Set once the function is known to be an attribute of a class: its first parameter is the instance.
    method: OnceLock<()>,
}

/// Why there is no key.
pub(crate) enum Unkeyed {
    /// The arguments do not fit the signature: calling the function says so best.
    Misfit,
    /// There is no tenant, and so no entry that is its own.
    Nobody,
    /// The key cannot be built.
    Refused(PyErr),
}

impl From<PyErr> for Unkeyed {
    fn from(error: PyErr) -> Self {
        Self::Refused(error)
    }
}

impl Signature {
    pub(crate) fn new(parameters: Vec<Parameter>) -> Self {
        let positional = parameters
            .iter()
            .take_while(|parameter| parameter.is_positional())
            .count();
        let plain = positional == parameters.len()
            && parameters
                .iter()
                .all(|parameter| matches!(parameter.treatment, Treatment::Content));
        Self {
            plain: plain.then_some(positional),
            parameters: parameters.into(),
            shapes: [const { OnceLock::new() }; SHAPES],
            identities: [const { OnceLock::new() }; IDENTITIES],
            method: OnceLock::new(),
        }
    }

    /// From here on the first parameter is an instance.
    pub(crate) fn mark_method(&self) {
        let _ = self.method.set(());
    }

    pub(crate) fn names<'a, 'py: 'a>(
        &'a self,
        py: Python<'py>,
    ) -> impl Iterator<Item = &'a Bound<'py, PyString>> {
        self.parameters
            .iter()
            .map(move |parameter| parameter.name.bind(py))
    }

    /// The names of the parameters that are part of the key.
    pub(crate) fn keyed_names(&self, py: Python<'_>) -> Vec<String> {
        let keyed = |parameter: &&Parameter| !matches!(parameter.treatment, Treatment::Left);
        let parameters = self.parameters.iter().filter(keyed);
        parameters
            .map(|parameter| texts::of(parameter.name.bind(py)))
            .collect()
    }

    /// The name of the parameter that takes any keywords, if there is one.
    pub(crate) fn keywords_name(&self, py: Python<'_>) -> Option<String> {
        let takes_any = |parameter: &&Parameter| parameter.kind == Kind::Named;
        let found = self.parameters.iter().find(takes_any)?;
        Some(texts::of(found.name.bind(py)))
    }

    /// Whether a parameter has this name.
    pub(crate) fn position(&self, py: Python<'_>, name: &str) -> Option<usize> {
        self.names(py)
            .position(|other| other.to_str().is_ok_and(|other| other == name))
    }

    /// The key of a call of small ints and ASCII texts by position, behind an instance or not; given up for any other call.
    ///
    /// It is the first of four ways to a key, each of which gives up what it does not know; the next are
    /// [`shorter`](Self::shorter), [`short`](Self::short) and [`write`](Self::write). The first two must be inlined, and
    /// their keys never meet, for them to stay in registers.
    #[inline(always)]
    pub(crate) fn shortest(&self, call: &Arguments<'_, '_>, mut key: Short) -> Short {
        let values = call.values();
        if self.plain != Some(values.len()) || call.names().is_some() {
            return key.refuse();
        }
        let mut values = values.iter();
        if let Some(first) = values.next() {
            key = if self.is_identity(*first) {
                key.identity(first.as_ptr() as u64)
            } else {
                keys::add_common(*first, key)
            };
        }
        for value in values {
            key = keys::add_common(*value, key);
        }
        key
    }

    /// The key of a call of small ints and short ASCII texts, in any shape; given up for any other call.
    #[inline(always)]
    pub(crate) fn shorter(&self, call: &Arguments<'_, '_>, mut key: Short) -> Short {
        let Some(steps) = self.steps(call) else {
            return key.refuse();
        };
        let values = call.values();
        for step in steps {
            let part = match step {
                Step::Given(at, Some(constant)) if constant.is(values[*at]) => Some(constant.part),
                Step::Given(at, _) | Step::First(at) => keys::common_part(values[*at]),
                Step::Fixed(bytes) => Part::of(bytes),
            };
            match part {
                Some(part) => key = key.part(part),
                None => return key.refuse(),
            }
        }
        key
    }

    /// The key of a call of exact scalars, in any shape; given up for any other call.
    pub(crate) fn short(&self, call: &Arguments<'_, '_>, mut key: Short) -> Short {
        let Some(steps) = self.steps(call) else {
            return key.refuse();
        };
        let values = call.values();
        for step in steps {
            key = match step {
                Step::First(at) if self.is_identity(values[*at]) => {
                    key.identity(values[*at].as_ptr() as u64)
                }
                Step::First(at) | Step::Given(at, _) => keys::add_exact(values[*at], key),
                Step::Fixed(bytes) => key.encoded(bytes),
            };
        }
        key
    }

    #[inline(always)]
    fn steps(&self, call: &Arguments<'_, '_>) -> Option<&[Step]> {
        self.known(call)?.steps.as_deref()
    }

    #[inline(always)]
    fn is_identity(&self, value: Borrowed<'_, '_, PyAny>) -> bool {
        let class = value.get_type_ptr();
        self.identities
            .iter()
            .map_while(OnceLock::get)
            .any(|known| known.as_ptr() == class.cast())
    }

    /// The shape of a call, if it has been seen.
    #[inline(always)]
    fn known(&self, call: &Arguments<'_, '_>) -> Option<&Shape> {
        // Most functions are called in one shape.
        match self.shapes[0].get()? {
            shape if shape.fits(call) => Some(shape),
            _ => self.known_further(call),
        }
    }

    #[inline(never)]
    fn known_further(&self, call: &Arguments<'_, '_>) -> Option<&Shape> {
        let further = self.shapes[1..].iter().map_while(OnceLock::get);
        further.into_iter().find(|shape| shape.fits(call))
    }

    /// Runs `work` with the shape of a call.
    fn shaped<R>(
        &self,
        call: &Arguments<'_, '_>,
        work: impl FnOnce(&Shape) -> R,
    ) -> Result<R, Unkeyed> {
        if let Some(shape) = self.known(call) {
            return Ok(work(shape));
        }
        let mut shape = Shape::bind(&self.parameters, call).ok_or(Unkeyed::Misfit)?;
        for slot in &self.shapes {
            match slot.set(shape) {
                Ok(()) => return Ok(work(slot.get().expect("set above"))),
                Err(back) => shape = back,
            }
        }
        Ok(work(&shape))
    }

    /// Writes the key of any call.
    pub(crate) fn write(&self, call: &Arguments<'_, '_>, key: &mut Writer) -> Result<(), Unkeyed> {
        self.shaped(call, |shape| {
            self.parameters
                .iter()
                .zip(&shape.sources)
                .enumerate()
                .try_for_each(|(index, (parameter, source))| {
                    self.write_parameter(index, parameter, source, call, key)
                })
        })?
        .map_err(Unkeyed::Refused)
    }

    fn write_parameter(
        &self,
        index: usize,
        parameter: &Parameter,
        source: &Source,
        call: &Arguments<'_, '_>,
        key: &mut Writer,
    ) -> PyResult<()> {
        if let Source::Default(Some(bytes)) = source
            && matches!(parameter.treatment, Treatment::Content)
        {
            key.encoded(bytes);
            return Ok(());
        }
        if matches!(parameter.treatment, Treatment::Left) {
            return Ok(());
        }
        self.write_value(index, source.value(parameter, call)?, key)
    }

    /// Writes what a call gives to the parameter at `index`, as its key has it.
    pub(crate) fn write_one(
        &self,
        index: usize,
        call: &Arguments<'_, '_>,
        key: &mut Writer,
    ) -> Result<(), Unkeyed> {
        self.shaped(call, |shape| {
            let (parameter, source) = (&self.parameters[index], &shape.sources[index]);
            self.write_parameter(index, parameter, source, call, key)
        })?
        .map_err(Unkeyed::Refused)
    }

    /// Writes a value of the parameter at `index`, as the key of a call with it has it.
    pub(crate) fn write_value(
        &self,
        index: usize,
        value: Bound<'_, PyAny>,
        key: &mut Writer,
    ) -> PyResult<()> {
        let py = value.py();
        let parameter = &self.parameters[index];
        let name = parameter.name.bind(py).to_str()?;
        let value = match &parameter.treatment {
            Treatment::By(function) => calling::call(function.bind(py), [value.as_borrowed()])?,
            Treatment::Left | Treatment::Content => value,
        };
        if index == 0 && self.method.get().is_some() && self.write_instance(&value, key)? {
            return Ok(());
        }
        if !parameter.is_default(&value) {
            return keys::encode_argument(&value, key, name);
        }
        // A default that has no canonical form counts as "the default of this parameter".
        let mut apart = Writer::new();
        match keys::encode_argument(&value, &mut apart, name) {
            Ok(()) => key.encoded(apart.as_bytes()),
            Err(_) => key.default_of(name),
        }
        Ok(())
    }

    /// Writes the instance of a method by identity, if it declares none of its own.
    fn write_instance(&self, value: &Bound<'_, PyAny>, key: &mut Writer) -> PyResult<bool> {
        if self.is_identity(value.as_borrowed()) {
            key.identity(value.as_ptr() as u64);
            return Ok(true);
        }
        if keys::declares_identity(value)? {
            return Ok(false);
        }
        if !instances::takes_weak_reference(value) {
            return Err(instances::no_weak_reference(value));
        }
        let class = value.get_type();
        for slot in &self.identities {
            if slot.set(class.clone().unbind()).is_ok() {
                break;
            }
        }
        key.identity(value.as_ptr() as u64);
        Ok(true)
    }

    /// The instance that a call is keyed by the identity of, if any.
    pub(crate) fn instance<'py>(
        &self,
        call: &Arguments<'_, 'py>,
    ) -> Result<Option<Bound<'py, PyAny>>, Unkeyed> {
        let by_content = |parameter: &Parameter| matches!(parameter.treatment, Treatment::Content);
        if self.method.get().is_none() || !self.parameters.first().is_some_and(by_content) {
            return Ok(None);
        }
        let first = match call.values().first() {
            Some(first) if call.positional() > 0 => Bound::clone(first),
            _ => self.value(0, call)?,
        };
        // Not all types keyed by identity are remembered; those that are not are asked again.
        let by_identity =
            self.is_identity(first.as_borrowed()) || !keys::declares_identity(&first)?;
        Ok(by_identity.then_some(first))
    }

    /// The value that a call gives to the parameter at `index`.
    pub(crate) fn value<'py>(
        &self,
        index: usize,
        call: &Arguments<'_, 'py>,
    ) -> Result<Bound<'py, PyAny>, Unkeyed> {
        let value = self.shaped(call, |shape| {
            shape.sources[index].value(&self.parameters[index], call)
        })?;
        value.map_err(Unkeyed::Refused)
    }

    /// Shows the Python objects held here to the garbage collector.
    pub(crate) fn visit(&self, each: &mut impl FnMut(*mut pyo3::ffi::PyObject)) {
        for parameter in &self.parameters {
            if let Some(default) = &parameter.default {
                each(default.as_ptr());
            }
            if let Treatment::By(function) = &parameter.treatment {
                each(function.as_ptr());
            }
        }
        for class in self.identities.iter().filter_map(OnceLock::get) {
            each(class.as_ptr());
        }
    }
}
