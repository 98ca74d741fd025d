//! Keyrings as Python holds them: opaque, shown by numbers alone, and never pickled.

use std::sync::Arc;

use everwarm_codec::keyring::Keyring as Ring;
use everwarm_codec::master::MasterKey;
use everwarm_codec::names::Names;
use everwarm_core::error::Error;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::{errors, texts};

use super::codec;

/// A key from fewer different bytes or characters than this was not drawn at random.
const FEWEST: usize = 12;

/// The native half of a keyring.
#[pyclass(frozen, subclass, module = "everwarm._native")]
pub(crate) struct Keyring {
    pub(super) ring: Arc<Ring>,
    /// What names at stores are made with.
    pub(super) names: Names,
    ids: Vec<u32>,
}

#[pymethods]
impl Keyring {
    /// `keys` are 32 bytes or texts each, the first of which seals; `names` is the key of names, else the first.
    #[new]
    #[pyo3(signature = (*keys, names = None))]
    fn new(keys: &Bound<'_, PyTuple>, names: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let py = keys.py();
        let masters = keys
            .iter()
            .map(|key| master(&key))
            .collect::<PyResult<Vec<_>>>()?;
        let ids = masters.iter().map(MasterKey::id).collect();
        let ring = codec::ring(masters).map_err(|error| errors::raise(py, &error))?;
        let names = match names {
            Some(key) => Names::new(&master(key)?),
            None => Names::new(ring.primary()),
        };
        Ok(Self {
            ring: Arc::new(ring),
            names,
            ids,
        })
    }

    /// The numbers of the keys, that of the key that seals first.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.ids)
    }

    fn __reduce_ex__(&self, _protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a keyring is not copied or pickled, since its keys would lie in what is written\n\
             hint: read it anew where it is needed, by `Keyring.from_env` or `Keyring.from_file`",
        ))
    }
}

/// A key as users give it.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Key(MasterKey);

/// The key that Argon2id makes of a password.
#[pyfunction]
pub(crate) fn key_of_password(py: Python<'_>, password: &str, salt: Vec<u8>) -> PyResult<Key> {
    py.detach(|| MasterKey::from_password(password, &salt))
        .map(Key)
        .map_err(|error| errors::raise(py, &error))
}

fn master(given: &Bound<'_, PyAny>) -> PyResult<MasterKey> {
    let py = given.py();
    let raise = |error: Error| errors::raise(py, &error);
    if let Ok(key) = given.cast::<Key>() {
        return Ok(key.get().0.clone());
    }
    if let Ok(bytes) = given.cast::<PyBytes>() {
        let bytes = bytes.as_bytes();
        let key = MasterKey::new(bytes).map_err(raise)?;
        if is_few(bytes) || bytes.iter().all(|byte| byte.is_ascii_graphic()) {
            return Err(weak(py));
        }
        return Ok(key);
    }
    let Ok(text) = given.cast::<PyString>() else {
        let message = format!("a key is 32 bytes or a text, not {}", texts::class(given)?);
        let hint = "write 64 hexadecimal digits or base64, or `Keyring.from_env(\"SHOP_KEY\")`";
        return Err(errors::config(py, &message, hint));
    };
    let text = text.to_str()?;
    let (number, text) = match text.split_once(':') {
        Some((number, text)) => (Some(number), text.trim()),
        None => (None, text.trim()),
    };
    let key = MasterKey::parse(text).map_err(raise)?;
    if is_few(text.as_bytes()) {
        return Err(weak(py));
    }
    let Some(number) = number else {
        return Ok(key);
    };
    let number = number.trim().parse().map_err(|_| {
        let message = "what stands before the colon of a key is no number";
        let hint = "write `number: key`, with a number from 1 to 4294967295, or the key alone";
        errors::config(py, message, hint)
    })?;
    key.numbered(number).map_err(raise)
}

fn is_few(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count() < FEWEST
}

fn weak(py: Python<'_>) -> PyErr {
    let message = "the encryption key was not drawn at random";
    let hint = "make one by `python -c \"import secrets; print(secrets.token_hex(32))\"`; \
        a password goes through `Keyring.from_password`";
    errors::config(py, message, hint)
}
