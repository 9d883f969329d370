//! Who is trusted: certificates that a known authority has signed, and those that stand in the trust store
//! themselves.
//!
//! Java trusts each certificate of its trust store, also as the one of the other side itself, which is how
//! self-signed certificates are used with Flume; a verifier of paths alone would refuse those.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use std::collections::HashSet;
use std::sync::Arc;

/// Certificates that are trusted.
pub(super) struct Trust {
    roots: Arc<RootCertStore>,
    all: Arc<HashSet<Vec<u8>>>,
}

impl Trust {
    /// Trust these, each as an authority and by itself.
    pub fn of(certificates: Vec<CertificateDer<'static>>) -> Result<Trust, String> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots
                .add(certificate.clone())
                .map_err(|error| format!("a certificate of the trust store cannot be used: {error}"))?;
        }
        Ok(Trust {
            roots: Arc::new(roots),
            all: Arc::new(certificates.iter().map(|one| one.to_vec()).collect()),
        })
    }

    /// Trust whom this host trusts.
    pub fn of_the_system() -> Result<Trust, String> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err("this host has no list of certificate authorities: name one with --tls-ca".into());
        }
        Ok(Trust {
            roots: Arc::new(roots),
            all: Arc::default(),
        })
    }

    /// The verifier of a client; without `names` the name in a certificate does not matter.
    pub fn of_servers(&self, names: bool, provider: &Arc<CryptoProvider>) -> Result<Servers, String> {
        let builder = WebPkiServerVerifier::builder_with_provider(self.roots.clone(), provider.clone());
        Ok(Servers {
            paths: builder.build().map_err(|error| error.to_string())?,
            all: self.all.clone(),
            names,
        })
    }

    /// The verifier of a server that wants certificates.
    pub fn of_clients(&self, provider: &Arc<CryptoProvider>) -> Result<Clients, String> {
        let builder = WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider.clone());
        Ok(Clients {
            paths: builder.build().map_err(|error| error.to_string())?,
            all: self.all.clone(),
        })
    }
}

/// A certificate of an authority that stands in the trust store itself is as good as any: its time and its form
/// were looked at before its use is.
fn is_known(all: &HashSet<Vec<u8>>, certificate: &CertificateDer<'_>, why: &Error) -> bool {
    let is_about_its_use = match why {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.to_string().contains("CaUsedAsEndEntity")
        }
        _ => false,
    };
    is_about_its_use && all.contains(certificate.as_ref())
}

#[derive(Debug)]
pub(super) struct Servers {
    paths: Arc<WebPkiServerVerifier>,
    all: Arc<HashSet<Vec<u8>>>,
    names: bool,
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .paths
            .verify_server_cert(certificate, between, name, ocsp, now);
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            Err(why) if is_known(&self.all, certificate, &why) => {
                if self.names {
                    let parsed = rustls::server::ParsedCertificate::try_from(certificate)?;
                    rustls::client::verify_server_name(&parsed, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.supported_verify_schemes()
    }
}

#[derive(Debug)]
pub(super) struct Clients {
    paths: Arc<dyn ClientCertVerifier>,
    all: Arc<HashSet<Vec<u8>>>,
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.paths.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.paths.verify_client_cert(certificate, between, now) {
            Err(why) if is_known(&self.all, certificate, &why) => Ok(ClientCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.supported_verify_schemes()
    }
}

/// Takes any certificate (Flume's `trust-all-certs`): the connection is encrypted, and nobody knows to whom.
#[derive(Debug)]
pub(super) struct Anybody(pub Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
