//! Tenants: whose entries a call may meet. Nothing of one tenant's is ever given to another.

use everwarm_core::key::Writer;
use everwarm_core::template::{Piece, Template};
use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::arguments::Arguments;
use crate::lasting::intern;
use crate::signature::{Signature, Unkeyed};
use crate::terms::{check_fields, filled, resolve};
use crate::{errors, keys, modules, texts};

pub(crate) use everwarm_tiers::Tenant;

/// Where a call's tenant is taken from.
pub(crate) enum Tenancy {
    /// The value of a context variable.
    Context(Py<PyAny>),
    /// What the callable gives for the call's own arguments.
    Callable(Py<PyAny>),
    /// The place of a template, or its text.
    Template(Template),
}

const HINT: &str = "write `tenant=\"tenant_id\"` for a parameter, `tenant=\"{user.org}\"`, a callable of the call's \
    arguments, or a `ContextVar`";

impl Tenancy {
    /// From the keyword of a policy.
    pub(crate) fn of_policy(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = given.py();
        if is_variable(given)? {
            return Ok(Self::Context(given.clone().unbind()));
        }
        if let Ok(text) = given.cast::<PyString>() {
            let text = text.to_str()?;
            let template = if text.contains(['{', '}']) {
                Template::parse(text)
            } else {
                Template::parse(&format!("{{{text}}}"))
            };
            let template = template.map_err(|error| errors::raise(py, &error))?;
            if template.fields().next().is_none() {
                let message = "tenant= names no parameter, so all calls would be of one tenant";
                return Err(errors::config(py, message, HINT));
            }
            return Ok(Self::Template(template));
        }
        if given.is_callable() {
            return Ok(Self::Callable(given.clone().unbind()));
        }
        let kind = texts::class(given)?;
        let message = format!("tenant= takes a text, a callable or a ContextVar, not {kind}");
        Err(errors::config(py, &message, HINT))
    }

    /// From the keyword of a cache, whose own verbs have no arguments to take a tenant from.
    pub(crate) fn of_cache(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        if is_variable(given)? {
            return Ok(Self::Context(given.clone().unbind()));
        }
        let kind = texts::class(given)?;
        let message = format!("the tenant of a cache is a ContextVar, not {kind}");
        let hint = "write `tenant=ContextVar(\"tenant\")`, or give `tenant=` to each function";
        Err(errors::config(given.py(), &message, hint))
    }

    /// Refuses a template that names no parameter of the function.
    pub(crate) fn check(&self, py: Python<'_>, signature: &Signature) -> PyResult<()> {
        match self {
            Self::Template(template) => check_fields(py, template, signature),
            Self::Context(_) | Self::Callable(_) => Ok(()),
        }
    }

    /// The tenant of a call; None if it has none.
    pub(crate) fn of_call(
        &self,
        call: &Arguments<'_, '_>,
        signature: &Signature,
    ) -> Result<Option<Tenant>, Unkeyed> {
        let py = call.py();
        match self {
            Self::Context(_) => Ok(self.of_context(py)?),
            Self::Callable(function) => Ok(named(call.call(function.bind(py)))?),
            Self::Template(template) => {
                if let [Piece::Field(field)] = template.pieces() {
                    return Ok(tenant(&resolve(field, call, signature)?)?);
                }
                for field in template.fields() {
                    if is_nobody(&resolve(field, call, signature)?)? {
                        return Ok(None);
                    }
                }
                let text = filled(template, call, signature)?;
                Ok(tenant(PyString::new(py, &text).as_any())?)
            }
        }
    }

    /// The tenant of the running context; None if there is none, or the tenant is taken from calls.
    pub(crate) fn of_context(&self, py: Python<'_>) -> PyResult<Option<Tenant>> {
        match self {
            Self::Context(variable) => named(variable.bind(py).call_method0("get")),
            Self::Callable(_) | Self::Template(_) => Ok(None),
        }
    }

    /// Shows it to the garbage collector.
    pub(crate) fn visit(
        &self,
        visit: &pyo3::gc::PyVisit<'_>,
    ) -> Result<(), pyo3::gc::PyTraverseError> {
        match self {
            Self::Context(object) | Self::Callable(object) => visit.call(object),
            Self::Template(_) => Ok(()),
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Context(variable) => Self::Context(variable.clone_ref(py)),
            Self::Callable(function) => Self::Callable(function.clone_ref(py)),
            Self::Template(template) => Self::Template(template.clone()),
        }
    }
}

/// Whether it is a context variable; who has one has loaded their module.
fn is_variable(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    match modules::loaded(intern!(given.py(), "_contextvars"))? {
        Some(module) => given.is_instance(&module.getattr("ContextVar")?),
        None => Ok(false),
    }
}

/// The tenant of a name that was looked up: a `LookupError` says that there is none.
fn named(found: PyResult<Bound<'_, PyAny>>) -> PyResult<Option<Tenant>> {
    match found {
        Ok(name) => tenant(&name),
        Err(error) => Python::attach(|py| match error.is_instance_of::<PyLookupError>(py) {
            true => Ok(None),
            false => Err(error),
        }),
    }
}

/// None and the empty text are no tenants: both are what is there where somebody forgot one.
fn is_nobody(name: &Bound<'_, PyAny>) -> PyResult<bool> {
    if name.is_none() {
        return Ok(true);
    }
    match name.cast::<PyString>() {
        Ok(text) => Ok(text.len()? == 0),
        Err(_) => Ok(false),
    }
}

/// The tenant of that name.
fn tenant(name: &Bound<'_, PyAny>) -> PyResult<Option<Tenant>> {
    if is_nobody(name)? {
        return Ok(None);
    }
    let mut writer = Writer::new();
    keys::encode_argument(name, &mut writer, "tenant=")?;
    if writer.is_process_bound() {
        let message = "a tenant is called by what only this process knows";
        let hint = "name it by a text, a number or a UUID";
        return Err(errors::config(name.py(), message, hint));
    }
    let sealed = writer
        .seal()
        .map_err(|limit| keys::beyond(name.py(), limit))?;
    Ok(Some(Tenant(sealed.as_bytes().into())))
}
