//! The shape of a call: the number of positional arguments and the names of the others.

use everwarm_core::key::{Part, Writer};
use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::arguments::Arguments;
use crate::keys;
use crate::parameter::{Kind, Parameter, Treatment};

/// Where the parameters' values come from, for calls of one shape.
pub(crate) struct Shape {
    given: usize,
    names: Option<Py<PyTuple>>,
    pub(crate) sources: Box<[Source]>,
    /// How a key of scalars is made, if it can be.
    pub(crate) steps: Option<Box<[Step]>>,
}

/// One part of a key of scalars.
pub(crate) enum Step {
    /// The first parameter, which may be an instance.
    First(usize),
    /// An argument, and what it was when the shape was first seen: most call sites pass some constants.
    Given(usize, Option<Constant>),
    Fixed(Box<[u8]>),
}

/// A value that never changes, and its part of the key.
pub(crate) struct Constant {
    value: Py<PyAny>,
    pub(crate) part: Part,
}

impl Constant {
    fn of(value: &Bound<'_, PyAny>) -> Option<Self> {
        let bytes = fixed(value)?;
        let value = value.clone().unbind();
        Part::of(&bytes).map(|part| Self { value, part })
    }

    /// Whether this is the very value.
    #[inline(always)]
    pub(crate) fn is(&self, value: Borrowed<'_, '_, PyAny>) -> bool {
        value.as_ptr() == self.value.as_ptr()
    }
}

/// Where a parameter's value comes from.
pub(crate) enum Source {
    Given(usize),
    /// The default, with its encoding if that can never change.
    Default(Option<Box<[u8]>>),
    /// Positional arguments from this one on.
    Rest(usize),
    /// Named arguments that no parameter takes, by their places.
    Named(Box<[usize]>),
}

impl Shape {
    /// Works out where each parameter's value comes from; nothing if the arguments do not fit.
    pub(crate) fn bind(parameters: &[Parameter], call: &Arguments<'_, '_>) -> Option<Self> {
        let py = call.py();
        let given = call.positional();
        let names: Vec<_> = call
            .names()
            .map_or_else(Vec::new, |names| names.iter().collect());
        let positional = parameters
            .iter()
            .take_while(|parameter| parameter.is_positional())
            .count();
        let takes_rest = parameters
            .iter()
            .any(|parameter| parameter.kind == Kind::Rest);
        if given > positional && !takes_rest {
            return None;
        }
        let mut taken = vec![false; names.len()];
        let mut sources = Vec::with_capacity(parameters.len());
        for (index, parameter) in parameters.iter().enumerate() {
            let named = |taken: &mut Vec<bool>| {
                let at = names
                    .iter()
                    .position(|name| name.eq(parameter.name.bind(py)).unwrap_or(false))?;
                taken[at] = true;
                Some(Source::Given(given + at))
            };
            let default = || {
                parameter
                    .default
                    .as_ref()
                    .map(|default| Source::Default(fixed(default.bind(py))))
            };
            sources.push(match parameter.kind {
                Kind::PositionalOnly | Kind::Plain if index < given => Some(Source::Given(index)),
                Kind::PositionalOnly => default(),
                Kind::Plain | Kind::KeywordOnly => named(&mut taken).or_else(default),
                Kind::Rest => Some(Source::Rest(positional.min(given))),
                Kind::Named => {
                    let left = taken.iter().enumerate().filter(|(_, taken)| !**taken);
                    let left: Box<[usize]> = left.map(|(at, _)| given + at).collect();
                    taken.fill(true);
                    Some(Source::Named(left))
                }
            }?);
        }
        let names = call.names().map(|names| names.to_owned().unbind());
        let steps = steps(parameters, &sources, call);
        taken.iter().all(|taken| *taken).then(|| Self {
            given,
            names,
            sources: sources.into(),
            steps,
        })
    }

    #[inline(always)]
    pub(crate) fn fits(&self, call: &Arguments<'_, '_>) -> bool {
        if self.given != call.positional() {
            return false;
        }
        match (&self.names, call.names()) {
            (None, None) => true,
            // Each call site has a tuple of its own.
            (Some(mine), Some(theirs)) => mine.is(&*theirs) || same_names(mine, &theirs),
            _ => false,
        }
    }
}

impl Source {
    /// The value that a call gives to `parameter`.
    pub(crate) fn value<'py>(
        &self,
        parameter: &Parameter,
        call: &Arguments<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = call.py();
        let values = call.values();
        Ok(match self {
            Self::Given(at) => values[*at].to_owned(),
            Self::Default(_) => match &parameter.default {
                Some(default) => default.bind(py).clone(),
                None => {
                    return Err(PyTypeError::new_err(
                        "a parameter without default is bound to it",
                    ));
                }
            },
            Self::Rest(from) => PyTuple::new(py, &values[*from..call.positional()])?.into_any(),
            Self::Named(places) => {
                let named = PyDict::new(py);
                for at in places {
                    let names = call.names().expect("named arguments have names");
                    named.set_item(
                        names.get_borrowed_item(at - call.positional())?,
                        values[*at],
                    )?;
                }
                named.into_any()
            }
        })
    }
}

/// Whether two tuples hold the same names, most of which are interned.
#[inline(never)]
fn same_names(mine: &Py<PyTuple>, theirs: &Bound<'_, PyTuple>) -> bool {
    let mine = mine.bind(theirs.py());
    let same = |(a, b): (Borrowed<'_, '_, PyAny>, Borrowed<'_, '_, PyAny>)| {
        a.is(&*b) || a.eq(&*b).unwrap_or(false)
    };
    mine.len() == theirs.len() && mine.iter_borrowed().zip(theirs.iter_borrowed()).all(same)
}

/// How a key of scalars is made from a shape: not if a parameter is keyed by anything but its content.
fn steps(
    parameters: &[Parameter],
    sources: &[Source],
    call: &Arguments<'_, '_>,
) -> Option<Box<[Step]>> {
    let keyed = |parameter: &Parameter| !matches!(parameter.treatment, Treatment::Left);
    let pairs = parameters
        .iter()
        .zip(sources)
        .enumerate()
        .filter(|(_, (parameter, _))| keyed(parameter));
    pairs
        .map(
            |(index, (parameter, source))| match (&parameter.treatment, source) {
                (Treatment::Content, Source::Given(at)) if index == 0 => Some(Step::First(*at)),
                (Treatment::Content, Source::Given(at)) => {
                    Some(Step::Given(*at, Constant::of(&call.values()[*at])))
                }
                (Treatment::Content, Source::Default(Some(bytes))) => {
                    Some(Step::Fixed(bytes.clone()))
                }
                _ => None,
            },
        )
        .collect()
}

/// The encoding of a value that can never change.
fn fixed(default: &Bound<'_, PyAny>) -> Option<Box<[u8]>> {
    let mut key = Writer::new();
    keys::try_exact(default, &mut key).then(|| key.as_bytes().into())
}
