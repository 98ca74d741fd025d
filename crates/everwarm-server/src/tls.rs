//! Encryption: who the server is.

use std::sync::Arc;

use everwarm_core::store::{Failure, FailureKind};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::options::Identity;

/// The configuration of all encrypted connections.
///
/// # Errors
/// `Permanent` for files that cannot be read, hold something else, or do not belong together.
pub(crate) fn configured(identity: &Identity) -> Result<Arc<ServerConfig>, Failure> {
    let (certificate, key) = (&identity.certificate, &identity.key);
    let of_certificate = |error| refused(&certificate.display(), &error);
    let chain = CertificateDer::pem_file_iter(certificate).map_err(of_certificate)?;
    let chain = chain
        .collect::<Result<Vec<_>, _>>()
        .map_err(of_certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| refused(&key.display(), &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&"TLS", &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| refused(&certificate.display(), &error))?;
    Ok(Arc::new(config))
}

fn refused(what: &dyn std::fmt::Display, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("{what} cannot be used: {error}"),
        "name files in PEM that this user may read, and that belong together",
    )
}
