//! TLS for a protocol whose sockets are somebody else's, such as the driver of a database: the configuration alone.

use super::store;
use super::verify::{Anybody, Trust};
use super::{HostNames, provider};
use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder};
use std::path::Path;
use std::sync::Arc;

/// A configuration that only lacks what the client shows of itself.
type Trusting = ConfigBuilder<ClientConfig, WantsClientCert>;

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

/// What a configuration cannot be made of: a sentence that names the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Those that are trusted.
    Trust(String),
    /// The client's own certificate and key.
    Own(String),
}

/// A client that trusts these, and shows the certificate in the first of two files in PEM with the key in the other.
pub fn client_config(
    whom: Whom<'_>,
    names: HostNames,
    own: Option<(&Path, &Path)>,
) -> Result<ClientConfig, Wrong> {
    let builder = trusting(whom, names).map_err(Wrong::Trust)?;
    let Some((certificate, key)) = own else {
        return Ok(builder.with_no_client_auth());
    };
    let identity = || {
        let key = store::key_from_pem(key)?;
        let chain = store::chain_from_pem(certificate)?;
        let config = builder.with_client_auth_cert(chain, key);
        config.map_err(|error| format!("{}: {error}", certificate.display()))
    };
    identity().map_err(Wrong::Own)
}

fn trusting(whom: Whom<'_>, names: HostNames) -> Result<Trusting, String> {
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
    Ok(match trust {
        None => builder.with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        Some(trust) => {
            let verifier = trust.of_servers(names == HostNames::Checked, &provider)?;
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        }
    })
}
