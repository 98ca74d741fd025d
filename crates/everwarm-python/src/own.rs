//! Arguments told apart by their own `__hash__` and `==`, as `functools.lru_cache` does it.
//!
//! A table's keys are bytes, so that no Python code runs in it. Such arguments are therefore numbered before the table is
//! asked, and the number is the key. Whoever holds the key (a call, a computation, an entry) holds the number, and the number
//! holds the arguments: when the last of them goes, so does the number's row, and the arguments are let go of.

use std::sync::{Arc, Weak};

use everwarm_core::key::{self, Writer};
use hashbrown::HashTable;
use lock_api::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString, PyTuple};

use crate::arguments::Arguments;
use crate::lock::TableLock;
use crate::object::Object;
use crate::{calling, keys};

/// That a function's keys are its arguments' own.
#[pyclass(frozen, module = "everwarm._native")]
#[derive(Clone, Copy)]
pub(crate) struct Own {
    /// Whether equal arguments of different types differ.
    pub(crate) typed: bool,
    /// Whether anything is kept at all.
    pub(crate) keeps: bool,
}

#[pymethods]
impl Own {
    #[new]
    fn new(typed: bool, keeps: bool) -> Self {
        Self { typed, keeps }
    }
}

/// The numbers of one function's arguments.
pub(crate) struct Numbers {
    scope: u32,
    rows: Mutex<TableLock, Rows>,
}

#[derive(Default)]
struct Rows {
    last: u64,
    by_hash: HashTable<Row>,
}

struct Row {
    hash: u64,
    number: u64,
    numbered: Weak<Numbered>,
}

/// Arguments with their number.
pub(crate) struct Numbered {
    hash: u64,
    number: u64,
    key: key::Key,
    arguments: Object,
    numbers: Arc<Numbers>,
}

impl Numbers {
    pub(crate) fn new(scope: u32) -> Arc<Self> {
        Arc::new(Self {
            scope,
            rows: Mutex::default(),
        })
    }

    /// The number of a call's arguments: that of equal ones, or a number of their own.
    pub(crate) fn number(
        self: &Arc<Self>,
        call: &Arguments<'_, '_>,
        typed: bool,
    ) -> PyResult<Arc<Numbered>> {
        let arguments = as_one(call, typed)?;
        // Spread over all bits: small integers are their own hashes.
        let hash = (calling::hash(&arguments)? as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut compared = 0;
        loop {
            let (last, found) = self.candidates(hash, compared);
            for candidate in found {
                if calling::equal(candidate.arguments.bind(call.py()), &arguments)? {
                    return Ok(candidate);
                }
            }
            // Comparing may have run anything: equal arguments may have been given a number meanwhile.
            compared = last;
            if let Some(numbered) = self.add(hash, &arguments, last)? {
                return Ok(numbered);
            }
        }
    }

    /// The last number, and those above `after` whose arguments have this hash.
    fn candidates(
        &self,
        hash: u64,
        after: u64,
    ) -> (u64, impl Iterator<Item = Arc<Numbered>> + use<>) {
        let rows = self.rows.lock();
        let mut found = rows
            .by_hash
            .iter_hash(hash)
            .filter(|row| row.hash == hash && row.number > after)
            .filter_map(|row| row.numbered.upgrade());
        // Nearly always there is one at most, for which no memory is taken.
        let first = found.next();
        let others: Vec<_> = found.collect();
        (rows.last, first.into_iter().chain(others))
    }

    /// Gives the arguments a number, unless others have been given one since `last`.
    fn add(
        self: &Arc<Self>,
        hash: u64,
        arguments: &Bound<'_, PyAny>,
        last: u64,
    ) -> PyResult<Option<Arc<Numbered>>> {
        let mut rows = self.rows.lock();
        if rows.last != last {
            return Ok(None);
        }
        let number = last + 1;
        let mut key = Writer::for_scope(self.scope);
        key.int(number.cast_signed());
        let key = key
            .seal()
            .map_err(|limit| keys::beyond(arguments.py(), limit))?
            .into();
        let numbered = Arc::new(Numbered {
            hash,
            number,
            key,
            arguments: arguments.clone().into(),
            numbers: Arc::clone(self),
        });
        rows.last = number;
        let row = Row {
            hash,
            number,
            numbered: Arc::downgrade(&numbered),
        };
        rows.by_hash.insert_unique(hash, row, |row| row.hash);
        Ok(Some(numbered))
    }
}

impl Numbered {
    /// The number as bytes.
    pub(crate) fn key(&self) -> &key::Key {
        &self.key
    }

    /// Shows the arguments to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.arguments.visit(visit)
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        let mut rows = self.numbers.rows.lock();
        if let Ok(row) = rows
            .by_hash
            .find_entry(self.hash, |row| row.number == self.number)
        {
            row.remove();
        }
    }
}

/// A call's arguments as one object: a lone integer or text itself, else a tuple. Equal calls of one shape give equal objects.
fn as_one<'py>(call: &Arguments<'_, 'py>, typed: bool) -> PyResult<Bound<'py, PyAny>> {
    let (py, values) = (call.py(), call.values());
    let Some(names) = call.names() else {
        if let ([only], false) = (values, typed)
            && (only.is_exact_instance_of::<PyInt>() || only.is_exact_instance_of::<PyString>())
        {
            return Ok(Bound::clone(only));
        }
        if !typed {
            return Ok(PyTuple::new(py, values)?.into_any());
        }
        let types = values.iter().map(|value| value.get_type().into_any());
        let all: Vec<_> = values
            .iter()
            .map(|value| Bound::clone(value))
            .chain(types)
            .collect();
        return Ok(PyTuple::new(py, all)?.into_any());
    };
    let (positional, named) = values.split_at(call.positional());
    let mut all: Vec<_> = positional.iter().map(|value| Bound::clone(value)).collect();
    // No caller has this class at hand, so it tells positional arguments from named ones.
    all.push(py.get_type::<Own>().into_any());
    for (name, value) in names.iter_borrowed().zip(named) {
        all.extend([name.to_owned(), Bound::clone(value)]);
    }
    if typed {
        all.extend(values.iter().map(|value| value.get_type().into_any()));
    }
    Ok(PyTuple::new(py, all)?.into_any())
}
