//! Encryption: whom a store trusts.

use std::path::Path;
use std::sync::Arc;

use everwarm_core::store::{Failure, FailureKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The configuration of all encrypted connections of a store: it trusts the authorities in a file, or those of the system.
///
/// # Errors
/// `Permanent` for a file that cannot be read or holds something else.
pub(crate) fn configured(ca: Option<&Path>) -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&"TLS", &error))?;
    let trusting = builder.with_root_certificates(roots(ca)?);
    Ok(Arc::new(trusting.with_no_client_auth()))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let trusted = match ca {
        Some(path) => {
            let refused = |error| refused(&path.display(), &error);
            let read = CertificateDer::pem_file_iter(path).map_err(refused)?;
            read.collect::<Result<_, _>>().map_err(refused)?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    // Systems have some that are not understood, and are none the worse for it.
    roots.add_parsable_certificates(trusted);
    if roots.is_empty() {
        return Err(Failure::new(
            FailureKind::Permanent,
            "there is no authority that could be trusted",
            "name the file of the one that signed the server's certificate: ca=/etc/ssl/ca.pem",
        ));
    }
    Ok(roots)
}

fn refused(what: &dyn std::fmt::Display, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("{what} cannot be used: {error}"),
        "name a file in PEM that this user may read",
    )
}
