//! HTTPS: the certificate chain and its key, from PEM files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
};

use crate::config::Http;

/// Why HTTPS can't be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read the {what} {path}: {source}; check --tls-cert and --tls-key and the files' permissions", path = path.display())]
    Unreadable {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file isn't what it should be.
    #[error("{path} holds no {what} in PEM form: {reason}; give the certificate chain with --tls-cert and its unencrypted private key with --tls-key", path = path.display())]
    NotPem {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// They don't belong together.
    #[error("the certificate {cert} and the private key {key} don't belong together or can't be used: {reason}", cert = cert.display(), key = key.display())]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What rustls said.
        reason: String,
    },
}

/// TLS as configured; None for plain HTTP.
pub fn load(http: &Http) -> Result<Option<RustlsConfig>, TlsError> {
    let Some((cert, key)) = http.tls() else {
        return Ok(None);
    };
    let chain = chain(cert)?;
    let private_key = private_key(key)?;
    let mismatch = |error: rustls::Error| TlsError::Mismatch {
        cert: cert.clone(),
        key: key.clone(),
        reason: error.to_string(),
    };
    // Named, since more than one provider may be linked into the binary and rustls then refuses to choose.
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .map_err(mismatch)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(config))))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    const WHAT: &str = "certificate";
    let pem = read(WHAT, path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| not_pem(WHAT, path, &error))?;
    if chain.is_empty() {
        return Err(not_pem(WHAT, path, &pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const WHAT: &str = "private key";
    PrivateKeyDer::from_pem_slice(&read(WHAT, path)?).map_err(|error| not_pem(WHAT, path, &error))
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable {
        what,
        path: path.to_owned(),
        source,
    })
}

fn not_pem(what: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    TlsError::NotPem {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
