//! Certificates for tests: an authority, and keys that it has signed. Used here and by the tests of the program.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};

/// An authority in a directory, where it writes what it signs.
pub struct Authority {
    directory: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Files in PEM.
pub struct Signed {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

fn named(params: &mut CertificateParams, name: &str) {
    params.distinguished_name.push(DnType::CommonName, name);
}

impl Authority {
    /// Write `NAME.pem` there, which is to be trusted.
    pub fn new(directory: &Path, name: &str) -> Authority {
        let mut params = CertificateParams::default();
        named(&mut params, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(directory.join(name).with_extension("pem"), issuer.pem()).unwrap();
        Authority {
            directory: directory.to_path_buf(),
            issuer,
        }
    }

    /// A certificate for this host and this name, in `NAME.cert` and `NAME.key`.
    pub fn sign(&self, name: &str) -> Signed {
        self.sign_until(name, 2090)
    }

    /// One that ends with the year before this one.
    pub fn sign_until(&self, name: &str, year: i32) -> Signed {
        let names = ["localhost".to_string(), "127.0.0.1".to_string(), name.to_string()];
        let mut params = CertificateParams::new(names).unwrap();
        named(&mut params, name);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        self.write(name, &cert, &key)
    }

    /// A certificate that nobody but its own key has signed.
    pub fn self_signed(&self, name: &str) -> Signed {
        let mut params = CertificateParams::new(["localhost".to_string()]).unwrap();
        named(&mut params, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        self.write(name, &cert, &key)
    }

    fn write(&self, name: &str, cert: &str, key: &KeyPair) -> Signed {
        let at = |extension: &str| self.directory.join(format!("{name}.{extension}"));
        std::fs::write(at("cert"), cert).unwrap();
        std::fs::write(at("key"), key.serialize_pem()).unwrap();
        Signed {
            cert: at("cert"),
            key: at("key"),
        }
    }
}
