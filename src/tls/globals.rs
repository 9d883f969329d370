//! Flume's global TLS settings: what a component does not say itself.
//!
//! Each has the name of a Java system property and that of an environment variable. A component's own property
//! beats the system property, which beats the variable; `ssl` has no global form.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// System properties, as `flume agent -Dname=value` sets them.
static PROPERTIES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Set a system property.
pub fn define(name: &str, value: &str) {
    let mut properties = PROPERTIES.lock().unwrap_or_else(PoisonError::into_inner);
    properties.insert(name.to_string(), value.to_string());
}

/// One of them: the system property's name and the variable's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Global(pub &'static str, pub &'static str);

pub(super) const KEYSTORE: Global = Global("javax.net.ssl.keyStore", "FLUME_SSL_KEYSTORE_PATH");
pub(super) const KEYSTORE_PASSWORD: Global =
    Global("javax.net.ssl.keyStorePassword", "FLUME_SSL_KEYSTORE_PASSWORD");
pub(super) const KEYSTORE_TYPE: Global = Global("javax.net.ssl.keyStoreType", "FLUME_SSL_KEYSTORE_TYPE");
pub(super) const TRUSTSTORE: Global = Global("javax.net.ssl.trustStore", "FLUME_SSL_TRUSTSTORE_PATH");
pub(super) const TRUSTSTORE_PASSWORD: Global = Global(
    "javax.net.ssl.trustStorePassword",
    "FLUME_SSL_TRUSTSTORE_PASSWORD",
);
pub(super) const TRUSTSTORE_TYPE: Global =
    Global("javax.net.ssl.trustStoreType", "FLUME_SSL_TRUSTSTORE_TYPE");
pub(super) const INCLUDE_PROTOCOLS: Global =
    Global("flume.ssl.include.protocols", "FLUME_SSL_INCLUDE_PROTOCOLS");
pub(super) const EXCLUDE_PROTOCOLS: Global =
    Global("flume.ssl.exclude.protocols", "FLUME_SSL_EXCLUDE_PROTOCOLS");
pub(super) const INCLUDE_CIPHERS: Global =
    Global("flume.ssl.include.cipherSuites", "FLUME_SSL_INCLUDE_CIPHERSUITES");
pub(super) const EXCLUDE_CIPHERS: Global =
    Global("flume.ssl.exclude.cipherSuites", "FLUME_SSL_EXCLUDE_CIPHERSUITES");

impl Global {
    /// Its value, if somebody set it to something.
    pub fn value(self) -> Option<String> {
        let properties = PROPERTIES.lock().unwrap_or_else(PoisonError::into_inner);
        let defined = properties.get(self.0).cloned();
        drop(properties);
        defined
            .or_else(|| std::env::var(self.1).ok())
            .filter(|value| !value.trim().is_empty())
    }
}
