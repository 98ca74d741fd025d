//! A policy as the native side uses it: checked, in its own units, with its callables and templates.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::duration;
use everwarm_core::limits;
use everwarm_core::policy::Policy;
use everwarm_core::template::{Field, Piece, Step, Template};
use everwarm_engine::stack::Need;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyType};

use crate::arguments::Arguments;
use crate::bounds::size_of;
use crate::failures::Failures;
use crate::index::Indexed;
use crate::lasting::intern;
use crate::limits::Limits;
use crate::own::Own;
use crate::signature::{Signature, Unkeyed};
use crate::tenant::Tenancy;
use crate::windows::Windows;
use crate::{errors, texts};

/// The policy of a decorated function.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Terms {
    /// Its ttl is None also where `leaves_ttl` says that the cache has it.
    policy: Policy,
    leaves_ttl: bool,
    /// How long calls wait, and what becomes of computations that outlast them.
    pub(crate) limits: limits::Limits,
    pub(crate) when: Option<Py<PyAny>>,
    pub(crate) key: KeySource,
    pub(crate) tags: TagSource,
    pub(crate) tags_from_result: Option<Py<PyAny>>,
    /// The parameters that entries can be let go by.
    pub(crate) indexed: Indexed,
    #[pyo3(get)]
    pub(crate) name: Option<String>,
    #[pyo3(get)]
    pub(crate) version: String,
    /// What copies values on their way in and out, if they are isolated: `copy.deepcopy`.
    pub(crate) isolate: Option<Py<PyAny>>,
    /// How values are written in stores; None: as the cache says.
    #[pyo3(get)]
    format: Option<Py<PyAny>>,
    /// What stands for the return annotation in stored names.
    #[pyo3(get)]
    schema: Option<String>,
    /// The names that entries had before, with what converts their values.
    #[pyo3(get)]
    upgrade: Option<Py<PyAny>>,
    /// What else is part of the key.
    #[pyo3(get)]
    depends_on: Option<String>,
    /// Whose entries its calls may meet; None: as the cache says.
    pub(crate) tenancy: Option<Tenancy>,
    /// Whether what cannot be done is raised; None: as the cache says.
    pub(crate) strict: Option<bool>,
    /// Whether its values may leave the process only sealed with a keyring.
    #[pyo3(get)]
    encrypted: bool,
    /// What becomes of errors.
    pub(crate) failures: Arc<Failures>,
    /// What gives the ttl of a result.
    pub(crate) ttl_of: Option<Py<PyAny>>,
}

/// What the key is made of.
pub(crate) enum KeySource {
    /// The arguments, by the signature.
    Arguments,
    /// What the callable gives for the call's own arguments.
    Callable(Py<PyAny>),
    /// The fields of a template.
    Template(Template),
    /// The arguments, by their own `__hash__` and `==`.
    Own(Own),
}

/// What the tags are made of.
pub(crate) enum TagSource {
    /// Each a text or a template.
    Templates(Vec<Template>),
    /// What the callable gives for the call's own arguments.
    Callable(Py<PyAny>),
}

#[pymethods]
impl Terms {
    #[new]
    #[pyo3(signature = (*, ttl, jitter, cache_none, when, key, tags, tags_from_result, version, name, max_entry_bytes, isolate, limits, format=None, schema=None, depends_on=None, upgrade=None, tenant=None, strict=None, encrypted=false, index=None, windows=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the keywords of one policy, each under its own name"
    )]
    fn new(
        ttl: &Bound<'_, PyAny>,
        jitter: &Bound<'_, PyAny>,
        cache_none: &Bound<'_, PyAny>,
        when: Option<Bound<'_, PyAny>>,
        key: Option<Bound<'_, PyAny>>,
        tags: &Bound<'_, PyAny>,
        tags_from_result: Option<Bound<'_, PyAny>>,
        version: &Bound<'_, PyAny>,
        name: Option<Bound<'_, PyAny>>,
        max_entry_bytes: &Bound<'_, PyAny>,
        isolate: &Bound<'_, PyAny>,
        limits: &Bound<'_, Limits>,
        format: Option<Bound<'_, PyAny>>,
        schema: Option<Bound<'_, PyAny>>,
        depends_on: Option<Bound<'_, PyAny>>,
        upgrade: Option<Bound<'_, PyAny>>,
        tenant: Option<Bound<'_, PyAny>>,
        strict: Option<bool>,
        encrypted: bool,
        index: Option<Bound<'_, PyAny>>,
        windows: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let jitter = jitter.extract::<f64>().map_err(|_| {
            wrong(
                jitter,
                "jitter is a number from 0 to below 1",
                "write `jitter=0.1` to shorten each ttl by up to a tenth",
            )
        })?;
        let cache_none = cache_none.extract::<bool>().map_err(|_| {
            wrong(
                cache_none,
                "cache_none is True or False",
                "write `cache_none=False` to compute each None anew",
            )
        })?;
        let leaves_ttl = ttl.is(ttl.py().Ellipsis());
        // A class can be called too; whoever gives one has not meant a ttl that its instance decides.
        let ttl_of = ttl.is_callable() && !leaves_ttl && !ttl.is_instance_of::<PyType>();
        let policy = Policy {
            ttl: if leaves_ttl || ttl_of {
                None
            } else {
                span_of(ttl)?
            },
            jitter,
            cache_none,
            max_entry_bytes: size_of("max_entry_bytes", max_entry_bytes)?,
            hard_limit: limits.get().hard,
            soft_limit: limits.get().soft,
            ..Policy::default()
        };
        let limits = limits.get().limits;
        let windows = windows.unwrap_or_else(|| PyDict::new(ttl.py()));
        let windows = Windows(&windows);
        let policy = windows.policy(policy)?;
        if !leaves_ttl && !ttl_of {
            windows.check_ttl(policy.ttl)?;
        }
        let failures = Arc::new(windows.failures()?);
        // Whether windows have a ttl to come after is known only where that is said.
        let unsaid = (leaves_ttl || ttl_of).then_some(Duration::from_secs(1));
        let whole = Policy {
            ttl: policy.ttl.or(unsaid),
            ..policy
        };
        whole
            .validate()
            .and_then(|()| limits.validate())
            .map_err(|error| errors::raise(ttl.py(), &error))?;
        Ok(Self {
            policy,
            leaves_ttl,
            limits,
            when: callable(when, "when", "lambda result: ...")?,
            key: KeySource::new(ttl.py(), key)?,
            tags: TagSource::new(tags)?,
            tags_from_result: callable(tags_from_result, "tags_from_result", "lambda result: ...")?,
            indexed: Indexed::new(index.as_ref())?,
            name: name.map(|name| name_of(&name)).transpose()?,
            isolate: copier(isolate)?,
            format: format.map(Bound::unbind),
            schema: schema.map(|schema| schema_of(&schema)).transpose()?,
            upgrade: upgrade.map(Bound::unbind),
            depends_on: depends_on.map(|what| dependence_of(&what)).transpose()?,
            tenancy: tenant
                .map(|tenant| Tenancy::of_policy(&tenant))
                .transpose()?,
            strict,
            encrypted,
            failures,
            ttl_of: ttl_of.then(|| ttl.clone().unbind()),
            version: version
                .extract()
                .map_err(|_| wrong(version, "version is a text", "write `version=\"2\"`"))?,
        })
    }
}

impl Terms {
    /// What stores have to be able to do for it.
    pub(crate) fn needs(&self) -> impl Iterator<Item = Need> {
        let tags = self.has_tags().then_some(Need::Tags);
        let slides = self.policy.sliding.map(|_| Need::Changes);
        tags.into_iter().chain(slides)
    }

    /// Whether its entries may carry tags; those of an index are tags, too.
    fn has_tags(&self) -> bool {
        self.tags_values() || !matches!(self.indexed, Indexed::Nothing)
    }

    /// Whether it says of what tags are made.
    pub(crate) fn tags_values(&self) -> bool {
        !self.tags.is_nothing() || self.tags_from_result.is_some()
    }

    /// The policy of a function of a cache, which has the ttl if the policy does not say one.
    pub(crate) fn policy_within(&self, ttl: Option<Duration>) -> Policy {
        Policy {
            ttl: if self.leaves_ttl {
                ttl
            } else {
                self.policy.ttl
            },
            ..self.policy
        }
    }
}

/// A keyword that takes a callable, written in this `form`, or None.
pub(crate) fn callable(
    given: Option<Bound<'_, PyAny>>,
    keyword: &str,
    form: &str,
) -> PyResult<Option<Py<PyAny>>> {
    match given {
        Some(object) if !object.is_callable() => Err(wrong(
            &object,
            &format!("{keyword}= takes a callable"),
            &format!("write `{keyword}={form}`"),
        )),
        object => Ok(object.map(Bound::unbind)),
    }
}

/// A keyword of the wrong type.
pub(crate) fn wrong(given: &Bound<'_, PyAny>, wanted: &str, hint: &str) -> PyErr {
    match texts::class(given) {
        Ok(kind) => errors::config(given.py(), &format!("{wanted}, not {kind}"), hint),
        Err(error) => error,
    }
}

/// What copies values, if they are to be isolated.
fn copier(isolate: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
    let isolated = isolate.extract::<bool>().map_err(|_| {
        wrong(
            isolate,
            "isolate is True or False",
            "write `isolate=True` to give each caller a copy of its own",
        )
    })?;
    if !isolated {
        return Ok(None);
    }
    Ok(Some(
        isolate.py().import("copy")?.getattr("deepcopy")?.unbind(),
    ))
}

/// A function's declared name.
fn name_of(given: &Bound<'_, PyAny>) -> PyResult<String> {
    let hint = "write `name=\"shop.price\"`, or leave it out for the function's own name";
    let name: String = given
        .extract()
        .map_err(|_| wrong(given, "name is a text", hint))?;
    if name.is_empty() {
        return Err(errors::config(given.py(), "name is empty", hint));
    }
    Ok(name)
}

/// What stands for the return annotation.
fn schema_of(given: &Bound<'_, PyAny>) -> PyResult<String> {
    given.extract().map_err(|_| {
        wrong(
            given,
            "schema is a text",
            "write `schema=\"user/2\"`, or leave it out for a fingerprint of the return annotation",
        )
    })
}

/// What a key depends on beside arguments: the source, or nothing.
fn dependence_of(given: &Bound<'_, PyAny>) -> PyResult<String> {
    let hint = "write `depends_on=\"source\"`, or `depends_on=\"nothing\"` for entries that outlive changes of the code";
    let what: String = given
        .extract()
        .map_err(|_| wrong(given, "depends_on is a text", hint))?;
    if matches!(what.as_str(), "source" | "nothing") {
        return Ok(what);
    }
    let message = format!("depends_on={what:?} is nothing that an entry can depend on");
    Err(errors::config(given.py(), &message, hint))
}

impl KeySource {
    fn new(py: Python<'_>, key: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(key) = key else {
            return Ok(Self::Arguments);
        };
        if let Ok(text) = key.cast::<PyString>() {
            let template =
                Template::parse(text.to_str()?).map_err(|error| errors::raise(py, &error))?;
            if template.fields().next().is_none() {
                return Err(errors::config(
                    py,
                    &format!(
                        "key={:?} names no parameter, so all calls would share one entry",
                        template.text()
                    ),
                    "name the parameters that tell calls apart: `key=\"user:{user.id}\"`",
                ));
            }
            return Ok(Self::Template(template));
        }
        if let Ok(own) = key.cast::<Own>() {
            return Ok(Self::Own(*own.get()));
        }
        if key.is_callable() {
            return Ok(Self::Callable(key.unbind()));
        }
        Err(errors::config(
            py,
            "key= takes a callable or a template",
            "write `key=lambda user: user.id` or `key=\"{user.id}\"`",
        ))
    }

    /// Refuses a template that names no parameter of the function.
    pub(crate) fn check(&self, py: Python<'_>, signature: &Signature) -> PyResult<()> {
        match self {
            Self::Template(template) => check_fields(py, template, signature),
            Self::Arguments | Self::Callable(_) | Self::Own(_) => Ok(()),
        }
    }
}

impl TagSource {
    pub(crate) fn new(tags: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = tags.py();
        let hint =
            "write `tags=[\"user:{user_id}\"]` or `tags=lambda user_id: [f\"user:{user_id}\"]`";
        if tags.cast::<PyString>().is_ok() {
            return Err(errors::config(
                py,
                "tags= takes a list of texts, not one text",
                hint,
            ));
        }
        if tags.is_callable() {
            return Ok(Self::Callable(tags.clone().unbind()));
        }
        let mut templates = Vec::new();
        for tag in tags
            .try_iter()
            .map_err(|_| errors::config(py, "tags= takes a list of texts or a callable", hint))?
        {
            let tag = tag?;
            let text = tag
                .cast::<PyString>()
                .map_err(|_| errors::config(py, "each tag is a text", hint))?;
            if text.is_empty()? {
                return Err(errors::config(py, "a tag is empty", hint));
            }
            templates
                .push(Template::parse(text.to_str()?).map_err(|error| errors::raise(py, &error))?);
        }
        Ok(Self::Templates(templates))
    }

    /// Whether there are none.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Templates(templates) if templates.is_empty())
    }

    /// The first template that names another parameter than this one, and what it names.
    pub(crate) fn field_but(&self, name: &str) -> Option<(&str, &str)> {
        let Self::Templates(templates) = self else {
            return None;
        };
        templates.iter().find_map(|template| {
            let mut fields = template.fields();
            let other = fields.find(|field| field.parameter != name)?;
            Some((template.text(), &*other.parameter))
        })
    }

    pub(crate) fn check(&self, py: Python<'_>, signature: &Signature) -> PyResult<()> {
        match self {
            Self::Templates(templates) => templates
                .iter()
                .try_for_each(|template| check_fields(py, template, signature)),
            Self::Callable(_) => Ok(()),
        }
    }

    /// The tags of a call.
    pub(crate) fn of(
        &self,
        call: &Arguments<'_, '_>,
        signature: &Signature,
    ) -> Result<Vec<Arc<str>>, Unkeyed> {
        match self {
            Self::Templates(templates) => templates
                .iter()
                .map(|template| Ok(filled(template, call, signature)?.into()))
                .collect(),
            Self::Callable(function) => Ok(texts(&call.call(function.bind(call.py()))?)?),
        }
    }
}

/// The tags in an iterable of texts.
pub(crate) fn texts(tags: &Bound<'_, PyAny>) -> PyResult<Vec<Arc<str>>> {
    let py = tags.py();
    let wrong = |_| {
        let hint = "return a list of texts, such as `[\"user:3\"]`";
        errors::config(py, "tags are an iterable of texts", hint)
    };
    if tags.cast::<PyString>().is_ok() {
        return Err(wrong(PyTypeError::new_err("")));
    }
    let text = |tag: Bound<'_, PyAny>| tag.extract::<String>().map(Arc::from).map_err(wrong);
    tags.try_iter()
        .map_err(wrong)?
        .map(|tag| text(tag?))
        .collect()
}

pub(crate) fn check_fields(
    py: Python<'_>,
    template: &Template,
    signature: &Signature,
) -> PyResult<()> {
    for field in template.fields() {
        if signature.position(py, &field.parameter).is_none() {
            let names: Vec<_> = signature.names(py).map(texts::of).collect();
            let message = format!(
                "template {:?} names `{}`, which is no parameter of the function",
                template.text(),
                field.parameter
            );
            return Err(errors::config(
                py,
                &message,
                &format!("its parameters are: {}", names.join(", ")),
            ));
        }
    }
    Ok(())
}

/// A template as text, for tags.
pub(crate) fn filled(
    template: &Template,
    call: &Arguments<'_, '_>,
    signature: &Signature,
) -> Result<String, Unkeyed> {
    let mut text = String::new();
    for piece in template.pieces() {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Field(field) => text.push_str(resolve(field, call, signature)?.str()?.to_str()?),
        }
    }
    Ok(text)
}

/// The value that a field stands for.
pub(crate) fn resolve<'py>(
    field: &Field,
    call: &Arguments<'_, 'py>,
    signature: &Signature,
) -> Result<Bound<'py, PyAny>, Unkeyed> {
    let index = signature
        .position(call.py(), &field.parameter)
        .ok_or(Unkeyed::Misfit)?;
    let mut value = signature.value(index, call)?;
    for step in &field.path {
        value = match step {
            Step::Attribute(name) => value.getattr(name.as_str())?,
            Step::Item(name) => value.get_item(name.as_str())?,
            Step::Position(at) => value.get_item(*at)?,
        };
    }
    Ok(value)
}

/// A duration as users write it: seconds, a `timedelta` or text; None for no expiry.
pub(crate) fn span_of(given: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    let py = given.py();
    if given.is_none() {
        return Ok(None);
    }
    let parsed = if let Ok(text) = given.cast::<PyString>() {
        duration::parse(text.to_str()?)
    } else if given.is_instance_of::<PyFloat>()
        || (given.is_instance_of::<PyInt>() && !given.is_instance_of::<PyBool>())
    {
        // An integer beyond a float's range is as good as infinite.
        duration::from_seconds(given.extract::<f64>().unwrap_or(f64::INFINITY))
    } else if let Ok(seconds) = given.call_method0(intern!(py, "total_seconds")) {
        duration::from_seconds(seconds.extract()?)
    } else {
        return Err(errors::config(
            py,
            &format!("a duration cannot be of type {}", texts::class(given)?),
            "write seconds (`90`, `0.5`), text (`\"1h30m\"`), a `timedelta`, or None for no expiry",
        ));
    };
    parsed.map(Some).map_err(|error| errors::raise(py, &error))
}
