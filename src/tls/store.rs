//! Keys and certificates from files: PEM, and PKCS#12 as Java and openssl write it.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

/// A private key and the certificates that go with it, its own first.
pub(super) struct Identity {
    pub key: PrivateKeyDer<'static>,
    pub chain: Vec<CertificateDer<'static>>,
}

/// Larger files are no stores.
const LIMIT: u64 = 4 << 20;
/// How a key store of Java's own kind begins: JKS, JCEKS.
const JAVA: [[u8; 4]; 2] = [[0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]];
/// The types that a store may be said to have; what it has is seen by its content, as Java does for these two.
const TYPES: &[&str] = &["JKS", "PKCS12", "P12", "PFX", "PEM"];

type Found<T> = Result<T, String>;

/// Is it a type of store? The error is a sentence.
pub(super) fn check_type(name: &str) -> Found<()> {
    match TYPES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        true => Ok(()),
        false => Err(format!(
            "\"{name}\" is no type of key store that can be read here; there are PKCS12 and PEM"
        )),
    }
}

fn read(path: &Path) -> Found<Vec<u8>> {
    let failed = |why: String| format!("{}: {why}", path.display());
    let meta = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if meta.len() > LIMIT {
        return Err(failed(format!(
            "it has {} bytes, which no key store has",
            meta.len()
        )));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"-----BEGIN ").is_some()
}

/// The certificates of a PEM file.
pub(super) fn chain_from_pem(path: &Path) -> Found<Vec<CertificateDer<'static>>> {
    certificates_in_pem(&read(path)?, path)
}

/// The private key in a PEM file, in which may be certificates, too.
pub(super) fn key_from_pem(path: &Path) -> Found<PrivateKeyDer<'static>> {
    let bytes = read(path)?;
    let failed = |why: &str| format!("{}: {why}", path.display());
    if memchr::memmem::find(&bytes, b"-----BEGIN ENCRYPTED PRIVATE KEY").is_some() {
        return Err(failed(
            "the private key is encrypted: put it into a PKCS#12 key store with a password, or decrypt it with \
             \"openssl pkey\"",
        ));
    }
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| failed("there is no private key in it (PEM: PRIVATE KEY, RSA or EC PRIVATE KEY)"))
}

fn certificates_in_pem(bytes: &[u8], path: &Path) -> Found<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(format!(
            "{}: there is no certificate in it (PEM: CERTIFICATE)",
            path.display()
        )),
        Err(error) => Err(format!(
            "{}: a certificate cannot be read: {error}",
            path.display()
        )),
    }
}

/// A key with its certificates from a key store of any known type.
pub(super) fn identity_from_store(path: &Path, password: &str) -> Found<Identity> {
    let bytes = read(path)?;
    if is_pem(&bytes) {
        let (chain, key) = (certificates_in_pem(&bytes, path)?, key_from_pem(path)?);
        return Ok(Identity { key, chain });
    }
    let store = archive(&bytes, password, path)?;
    let Some(bag) = store.keys.first() else {
        return Err(format!(
            "{}: there is no private key in this key store",
            path.display()
        ));
    };
    if store.keys.len() > 1 {
        let others = store.keys.len() - 1;
        crate::say::warn(
            "tls",
            format!(
                "{}: the first private key is used, {others} more are not",
                path.display()
            ),
        );
    }
    let key = PrivateKeyDer::try_from(bag.key.as_der().to_vec())
        .map_err(|error| format!("{}: its private key cannot be used: {error}", path.display()))?;
    let own = bag.local_key_id.as_ref().and_then(|id| {
        let mut certificates = store.certs.iter();
        certificates.find(|bag| bag.local_key_id.as_deref() == Some(&id.0[..]))
    });
    let Some(own) = own.or(store.certs.first()) else {
        return Err(format!("{}: its private key has no certificate", path.display()));
    };
    let mut chain = vec![&own.cert];
    // Each time the certificate of who has signed the last one.
    while let Some(next) = store.certs.iter().map(|bag| &bag.cert).find(|cert| {
        let last = chain[chain.len() - 1];
        last.issuer() != last.subject() && cert.subject() == last.issuer() && !chain.contains(cert)
    }) {
        chain.push(next);
    }
    let der = |cert: &&p12_keystore::Certificate| CertificateDer::from(cert.as_der().to_vec());
    Ok(Identity {
        key,
        chain: chain.iter().map(der).collect(),
    })
}

/// All certificates of a trust store of any known type.
pub(super) fn trusted(path: &Path, password: &str) -> Found<Vec<CertificateDer<'static>>> {
    let bytes = read(path)?;
    if is_pem(&bytes) {
        return certificates_in_pem(&bytes, path);
    }
    let store = archive(&bytes, password, path)?;
    let der = |bag: &p12_keystore::CertificateBag| CertificateDer::from(bag.cert.as_der().to_vec());
    let all: Vec<_> = store.certs.iter().map(der).collect();
    match all.is_empty() {
        false => Ok(all),
        true => Err(format!(
            "{}: there is no certificate in this trust store",
            path.display()
        )),
    }
}

fn archive(bytes: &[u8], password: &str, path: &Path) -> Found<p12_keystore::Pkcs12Archive> {
    let failed = |why: &str| format!("{}: {why}", path.display());
    if bytes.first_chunk::<4>().is_some_and(|magic| JAVA.contains(magic)) {
        let at = path.display();
        return Err(format!(
            "{at}: it is a key store of Java's own kind (JKS or JCEKS), which is not read here; name a PKCS#12 one, \
             which \"keytool -importkeystore -srckeystore {at} -destkeystore {at}.p12 -deststoretype PKCS12\" makes of it"
        ));
    }
    p12_keystore::Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| match error {
        p12_keystore::error::Error::MacError(_) => failed("the password is wrong, or the file is damaged"),
        p12_keystore::error::Error::DerError(_) => {
            failed("it is no key store: neither PEM nor PKCS#12 is in it")
        }
        other => failed(&format!("this PKCS#12 key store cannot be read: {other}")),
    })
}
