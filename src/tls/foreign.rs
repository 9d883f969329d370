//! TLS for a protocol whose sockets are somebody else's, such as the driver of a database: the configuration alone.

use super::store::{self, Identity};
use super::verify::{Anybody, Trust};
use super::{HostNames, provider};
use rustls::ClientConfig;
use std::path::Path;
use std::sync::Arc;

/// Whom a client trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom<'a> {
    /// Any certificate: the connection is encrypted, and nobody knows to whom.
    Anybody,
    /// Whom this host trusts.
    System,
    /// The certificates in this file, PEM or PKCS#12 without a password.
    File(&'a Path),
}

/// A client that trusts these, and shows the certificate in the first of two files in PEM with the key in the other.
///
/// Errors: a sentence that names the file.
pub fn client_config(
    whom: Whom<'_>,
    names: HostNames,
    own: Option<(&Path, &Path)>,
) -> Result<ClientConfig, String> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous();
    let trust = match whom {
        Whom::Anybody => None,
        Whom::System => Some(Trust::of_the_system()?),
        Whom::File(path) => Some(store::trusted(path, "").and_then(Trust::of)?),
    };
    let builder = match trust {
        None => builder.with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        Some(trust) => {
            let verifier = trust.of_servers(names == HostNames::Checked, &provider)?;
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let Some((certificate, key)) = own else {
        return Ok(builder.with_no_client_auth());
    };
    let own = Identity {
        chain: store::chain_from_pem(certificate)?,
        key: store::key_from_pem(key)?,
    };
    let config = builder.with_client_auth_cert(own.chain, own.key);
    config.map_err(|error| format!("{}: {error}", certificate.display()))
}
