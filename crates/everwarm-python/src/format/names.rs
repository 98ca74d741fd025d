//! Short texts that occur again and again, kept as the objects that they were made: keys of dicts, above all.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::raw;

/// How many there are at most; each has one place, by its hash, and takes it from whoever was there.
const PLACES: usize = 1024;
/// Longer texts are made anew.
const LONGEST: usize = 32;

/// The texts, but while a decoder has them.
static NAMES: Mutex<Option<Names>> = Mutex::new(None);

type Names = Vec<Option<Py<PyString>>>;

/// The texts, lent to a decoder. A second one at the same time begins with none.
#[derive(Default)]
pub(super) struct Lent(Option<Names>);

impl Lent {
    /// The texts that are there.
    pub(super) fn take() -> Self {
        Self(NAMES.lock().take())
    }

    /// The str of these bytes.
    #[inline]
    pub(super) fn text<'py>(
        &mut self,
        py: Python<'py>,
        bytes: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        if bytes.len() > LONGEST || bytes.is_empty() || !bytes.is_ascii() {
            return PyString::from_bytes(py, bytes);
        }
        let names = self
            .0
            .get_or_insert_with(|| std::iter::repeat_with(|| None).take(PLACES).collect());
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(bytes);
        let place = &mut names[hasher.finish() as usize % PLACES];
        if let Some(text) = place
            && raw::ascii(text.bind(py)) == Some(bytes)
        {
            return Ok(text.bind(py).clone());
        }
        let text = PyString::from_bytes(py, bytes)?;
        *place = Some(text.clone().unbind());
        Ok(text)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(names) = self.0.take() {
            // What was put there meanwhile is dropped after unlocking.
            let former = NAMES.lock().replace(names);
            drop(former);
        }
    }
}
