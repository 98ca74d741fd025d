//! Encryption: whom a store trusts, and as whom it shows itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use everwarm_core::store::{Failure, FailureKind};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// How connections are encrypted. The server's certificate is always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The file of the authorities that are trusted; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// The files of the client's certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The configuration of all encrypted connections of a store.
///
/// # Errors
/// `Permanent` for files that cannot be read or hold something else.
pub fn configured(tls: &Tls) -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&"TLS", &error))?
        .with_root_certificates(roots(tls.ca.as_deref())?);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| refused(&key.display(), &error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| refused(&certificate.display(), &error))?
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities(ca)?);
    Ok(roots)
}

/// The authorities that are trusted: those of a file, or of the system.
///
/// # Errors
/// `Permanent` for a file that cannot be read, and where there is none.
pub fn authorities(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let mut trusted = match ca {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    // Systems have some that are not understood, and are none the worse for it.
    trusted.retain(|authority| RootCertStore::empty().add(authority.clone()).is_ok());
    if trusted.is_empty() {
        return Err(Failure::new(
            FailureKind::Permanent,
            "there is no authority that could be trusted",
            "name the file of the one that signed the server's certificate: ca=/etc/ssl/ca.pem",
        ));
    }
    Ok(trusted)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let refused = |error| refused(&path.display(), &error);
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(refused)?
        .collect();
    found.map_err(refused)
}

fn refused(what: &dyn std::fmt::Display, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("{what} cannot be used: {error}"),
        "name files in PEM that this user may read",
    )
}
