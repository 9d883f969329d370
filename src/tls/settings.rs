//! The settings of TLS, by Flume's names and with ours for PEM, and what becomes of them.

use super::globals::{self, Global};
use super::names::{Lists, Spoken};
use super::store::{self, Identity};
use super::verify::{Anybody, Trust};
use crate::exit::StageError;
use crate::value::Secret;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Does it matter to a client which name a server's certificate bears?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostNames {
    /// It must be the host's.
    Checked,
    /// No, as in Flume: any certificate that is trusted will do.
    Ignored,
}

/// Protocols and cipher suites by Java's names.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Speech {
    /// Protocols that may be spoken, of TLSv1.3 and TLSv1.2; without it both.
    #[arg(long, id = "include-protocols", value_name = "NAMES")]
    include_protocols: Option<String>,
    /// Protocols that may not.
    #[arg(
        long,
        id = "exclude-protocols",
        alias = "excludeProtocols",
        value_name = "NAMES"
    )]
    exclude_protocols: Option<String>,
    /// Cipher suites that may be used, by the names that Java has for them; without it all that are safe.
    #[arg(long, id = "include-cipher-suites", value_name = "NAMES")]
    include_cipher_suites: Option<String>,
    /// Cipher suites that may not.
    #[arg(long, id = "exclude-cipher-suites", value_name = "NAMES")]
    exclude_cipher_suites: Option<String>,
}

/// Settings of a server: its key, and whose certificates it wants.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ServerTls {
    /// Key store with the private key and its certificates: PKCS#12 or PEM.
    #[arg(long, id = "keystore", value_name = "FILE")]
    keystore: Option<PathBuf>,
    /// Its password, also that of the key.
    #[arg(
        long,
        id = "keystore-password",
        alias = "keystorePassword",
        value_name = "SECRET"
    )]
    keystore_password: Option<Secret>,
    /// Its type: PKCS12 or PEM. What it is, is seen by its content.
    #[arg(long, id = "keystore-type", value_name = "TYPE")]
    keystore_type: Option<String>,
    /// Certificate in PEM, with those of its authorities behind it, instead of a key store.
    #[arg(long, id = "tls-cert", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key in PEM, if it is not in the same file.
    #[arg(long, id = "tls-key", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Take only clients with a certificate that one of these has signed, or that is one of these: PEM or PKCS#12.
    #[arg(long, id = "tls-ca", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    #[command(flatten)]
    speech: Speech,
}

/// Settings of a client: whom it trusts, and its own certificate.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ClientTls {
    /// Trust store with the certificates that are trusted: PKCS#12 or PEM; without it those that this host trusts.
    #[arg(long, id = "truststore", value_name = "FILE")]
    truststore: Option<PathBuf>,
    /// Its password.
    #[arg(long, id = "truststore-password", value_name = "SECRET")]
    truststore_password: Option<Secret>,
    /// Its type: PKCS12 or PEM. What it is, is seen by its content.
    #[arg(long, id = "truststore-type", value_name = "TYPE")]
    truststore_type: Option<String>,
    /// Take any certificate: nobody knows then who is at the other end.
    #[arg(long, id = "trust-all-certs")]
    trust_all_certs: bool,
    /// Certificates that are trusted in PEM, instead of a trust store.
    #[arg(long, id = "tls-ca", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Own certificate in PEM, for a server that wants one.
    #[arg(long, id = "tls-cert", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key in PEM, if it is not in the same file.
    #[arg(long, id = "tls-key", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Name that the server's certificate must bear instead of the host's.
    #[arg(long, id = "tls-name", value_name = "NAME")]
    tls_name: Option<String>,
    #[command(flatten)]
    speech: Speech,
}

/// For a server that Flume turns TLS on for by `ssl`.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ServerSsl {
    /// Take TLS connections, and no plain ones.
    #[arg(long, id = "ssl", alias = "enableSSL")]
    ssl: bool,
    #[command(flatten)]
    tls: ServerTls,
}

/// For a client that Flume turns TLS on for by `ssl`.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ClientSsl {
    /// Connect by TLS.
    #[arg(long, id = "ssl")]
    ssl: bool,
    #[command(flatten)]
    tls: ClientTls,
}

impl ServerSsl {
    /// The acceptor, if TLS is on.
    pub fn acceptor(&self, name: &str) -> Result<Option<super::Acceptor>, StageError> {
        self.ssl.then(|| super::server(&self.tls, name)).transpose()
    }
}

impl ClientSsl {
    /// TLS is on.
    pub fn is_on(&self) -> bool {
        self.ssl
    }

    /// The connector, if TLS is on.
    pub fn connector(&self, names: HostNames, name: &str) -> Result<Option<super::Connector>, StageError> {
        self.ssl
            .then(|| super::client(&self.tls, names, name))
            .transpose()
    }

    /// TLS is on whatever the properties say, with these settings.
    pub fn on(tls: ClientTls) -> ClientSsl {
        ClientSsl { ssl: true, tls }
    }
}

impl ClientTls {
    /// Trust these certificates in PEM: for a program that has no flags.
    pub fn trusting(authorities: impl Into<PathBuf>) -> ClientTls {
        ClientTls {
            tls_ca: Some(authorities.into()),
            ..ClientTls::default()
        }
    }
}

fn usage(why: String) -> StageError {
    StageError::Usage(why)
}

/// What is wrong with what this setting names.
fn says(setting: &str, why: String) -> StageError {
    usage(format!("{setting}: {why}"))
}

/// A store: where it is and how it opens.
#[derive(Debug, Clone)]
struct Store {
    /// What names it: a setting, or the global one.
    setting: &'static str,
    path: PathBuf,
    password: Option<Secret>,
}

impl Store {
    fn password(&self) -> Result<String, StageError> {
        let read = self.password.as_ref().map(Secret::read).transpose();
        let of = |why| self.says(format!("the password of {}: {why}", self.path.display()));
        let read = read.map_err(of)?;
        Ok(read.unwrap_or_default())
    }

    fn says(&self, why: String) -> StageError {
        says(self.setting, why)
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        let secret = self.password.as_ref().and_then(Secret::file);
        [Some(&*self.path), secret].into_iter().flatten()
    }

    /// A store of a component, which one of its settings names, or the global one.
    fn find(
        named: Option<(&'static str, PathBuf)>,
        password: &Option<Secret>,
        kind: &Option<String>,
        global: [Global; 3],
    ) -> Result<Option<Store>, StageError> {
        let of_all = || Some((global[0].0, PathBuf::from(global[0].value()?)));
        let Some((setting, path)) = named.or_else(of_all) else {
            return Ok(None);
        };
        if let Some(kind) = kind.clone().or_else(|| global[2].value()) {
            store::check_type(&kind).map_err(|why| says(setting, why))?;
        }
        let global = || global[1].value().map(Secret::literal);
        Ok(Some(Store {
            setting,
            path,
            password: password.clone().or_else(global),
        }))
    }
}

impl Speech {
    fn spoken(&self) -> Result<Spoken, StageError> {
        let of =
            |own: &Option<String>, global: Global| own.clone().or_else(|| global.value()).unwrap_or_default();
        let lists = Lists {
            include_protocols: of(&self.include_protocols, globals::INCLUDE_PROTOCOLS),
            exclude_protocols: of(&self.exclude_protocols, globals::EXCLUDE_PROTOCOLS),
            include_ciphers: of(&self.include_cipher_suites, globals::INCLUDE_CIPHERS),
            exclude_ciphers: of(&self.exclude_cipher_suites, globals::EXCLUDE_CIPHERS),
        };
        lists.spoken().map_err(usage)
    }
}

/// Where a key is.
#[derive(Debug, Clone)]
enum Own {
    Store(Store),
    Pem(PathBuf, PathBuf),
}

impl Own {
    fn pem(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Result<Option<Own>, StageError> {
        match (certificate, key) {
            (Some(certificate), key) => {
                let key = key.clone().unwrap_or_else(|| certificate.clone());
                Ok(Some(Own::Pem(certificate.clone(), key)))
            }
            (None, Some(_)) => Err(usage("--tls-key needs the certificate, --tls-cert FILE".into())),
            (None, None) => Ok(None),
        }
    }

    fn load(&self) -> Result<Identity, StageError> {
        match self {
            Own::Store(store) => {
                store::identity_from_store(&store.path, &store.password()?).map_err(|why| store.says(why))
            }
            Own::Pem(certificate, key) => {
                let setting = if key == certificate { "tls-cert" } else { "tls-key" };
                Ok(Identity {
                    chain: store::chain_from_pem(certificate).map_err(|why| says("tls-cert", why))?,
                    key: store::key_from_pem(key).map_err(|why| says(setting, why))?,
                })
            }
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        match self {
            Own::Store(store) => store.files().map(Path::to_path_buf).collect(),
            Own::Pem(certificate, key) => vec![certificate.clone(), key.clone()],
        }
    }
}

/// What a server needs.
pub(super) struct Server {
    own: Own,
    clients: Option<PathBuf>,
    spoken: Spoken,
}

impl ServerTls {
    /// Whoever gives one of these wants TLS.
    pub fn is_given(&self) -> bool {
        self.keystore.is_some() || self.tls_cert.is_some() || self.tls_key.is_some() || self.tls_ca.is_some()
    }

    pub(super) fn resolved(&self, _name: &str) -> Result<Server, StageError> {
        let global = [
            globals::KEYSTORE,
            globals::KEYSTORE_PASSWORD,
            globals::KEYSTORE_TYPE,
        ];
        let pem = Own::pem(&self.tls_cert, &self.tls_key)?;
        if pem.is_some() && self.keystore.is_some() {
            return Err(usage(
                "--tls-cert and --keystore both name a certificate: give one of them".into(),
            ));
        }
        let own = match pem {
            Some(pem) => Some(pem),
            None => Store::find(
                self.keystore.clone().map(|path| ("keystore", path)),
                &self.keystore_password,
                &self.keystore_type,
                global,
            )?
            .map(Own::Store),
        };
        let own = own.ok_or_else(|| {
            usage(
                "TLS needs a certificate and its key: --tls-cert FILE and --tls-key FILE (PEM), or --keystore FILE \
                 (PKCS#12)"
                    .into(),
            )
        })?;
        Ok(Server {
            own,
            clients: self.tls_ca.clone(),
            spoken: self.speech.spoken()?,
        })
    }
}

impl Server {
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = self.own.files();
        files.extend(self.clients.clone());
        files
    }

    pub fn config(&self) -> Result<ServerConfig, StageError> {
        let builder = ServerConfig::builder_with_provider(self.spoken.provider.clone())
            .with_protocol_versions(&self.spoken.versions)
            .map_err(|error| usage(error.to_string()))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let trust = store::trusted(path, "").and_then(Trust::of);
                let trust = trust.map_err(|why| says("tls-ca", why))?;
                let verifier = trust.of_clients(&self.spoken.provider).map_err(usage)?;
                builder.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let Identity { key, chain } = self.own.load()?;
        builder.with_single_cert(chain, key).map_err(unfit)
    }
}

fn unfit(error: rustls::Error) -> StageError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            usage("the private key does not belong to the certificate".into())
        }
        other => usage(format!("the certificate cannot be used: {other}")),
    }
}

/// Whom a client trusts.
#[derive(Debug, Clone)]
enum Trusted {
    Anybody,
    System,
    Store(Store),
}

/// What a client needs.
pub(super) struct Client {
    trusted: Trusted,
    own: Option<Own>,
    names: HostNames,
    expected: Option<String>,
    spoken: Spoken,
}

impl ClientTls {
    /// Whoever gives one of these wants TLS.
    pub fn is_given(&self) -> bool {
        self.truststore.is_some()
            || self.tls_ca.is_some()
            || self.tls_cert.is_some()
            || self.tls_key.is_some()
            || self.tls_name.is_some()
            || self.trust_all_certs
    }

    pub(super) fn resolved(&self, names: HostNames, name: &str) -> Result<Client, StageError> {
        let global = [
            globals::TRUSTSTORE,
            globals::TRUSTSTORE_PASSWORD,
            globals::TRUSTSTORE_TYPE,
        ];
        if self.tls_ca.is_some() && self.truststore.is_some() {
            return Err(usage(
                "--tls-ca and --truststore both say who is trusted: give one of them".into(),
            ));
        }
        let named = match &self.tls_ca {
            Some(path) => Some(("tls-ca", path.clone())),
            None => self.truststore.clone().map(|path| ("truststore", path)),
        };
        let store = Store::find(named, &self.truststore_password, &self.truststore_type, global)?;
        let trusted = match (self.trust_all_certs, store) {
            (true, _) => {
                crate::say::warn(
                    name,
                    "any certificate is trusted: nobody knows who is at the other end",
                );
                Trusted::Anybody
            }
            (false, Some(store)) => Trusted::Store(store),
            (false, None) => Trusted::System,
        };
        let names = match self.tls_name {
            Some(_) => HostNames::Checked,
            None => names,
        };
        Ok(Client {
            trusted,
            own: Own::pem(&self.tls_cert, &self.tls_key)?,
            names,
            expected: self.tls_name.clone(),
            spoken: self.speech.spoken()?,
        })
    }
}

impl Client {
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = self.own.as_ref().map(Own::files).unwrap_or_default();
        if let Trusted::Store(store) = &self.trusted {
            files.extend(store.files().map(Path::to_path_buf));
        }
        files
    }

    /// The name that certificates must bear instead of the host's.
    pub fn expected_name(&self) -> Result<Option<ServerName<'static>>, StageError> {
        let parsed = self.expected.clone().map(ServerName::try_from).transpose();
        parsed.map_err(|_| {
            let name = self.expected.as_deref().unwrap_or_default();
            usage(format!(
                "--tls-name: \"{name}\" is no name that a certificate can bear"
            ))
        })
    }

    pub fn config(&self) -> Result<ClientConfig, StageError> {
        let provider = &self.spoken.provider;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.spoken.versions)
            .map_err(|error| usage(error.to_string()))?
            .dangerous();
        let trust = match &self.trusted {
            Trusted::Anybody => None,
            Trusted::System => Some(Trust::of_the_system().map_err(usage)?),
            Trusted::Store(store) => {
                let all = store::trusted(&store.path, &store.password()?);
                Some(all.and_then(Trust::of).map_err(|why| store.says(why))?)
            }
        };
        let builder = match trust {
            None => builder.with_custom_certificate_verifier(Arc::new(Anybody(provider.clone()))),
            Some(trust) => {
                let checked = self.names == HostNames::Checked;
                let verifier = trust.of_servers(checked, provider).map_err(usage)?;
                builder.with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        match &self.own {
            None => Ok(builder.with_no_client_auth()),
            Some(own) => {
                let Identity { key, chain } = own.load()?;
                builder.with_client_auth_cert(chain, key).map_err(unfit)
            }
        }
    }
}
