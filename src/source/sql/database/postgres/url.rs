//! A URL of PostgreSQL: what the driver reads of it, and libpq's words for TLS, of which the driver knows only some.

use crate::tls::HostNames;
use crate::tls::foreign::{Whom, Wrong, client_config};
use crate::value::percent_decoded;
use rustls::ClientConfig;
use std::error::Error;
use std::path::{Path, PathBuf};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

/// What PostgreSQL is called in a TLS handshake (ALPN).
const ALPN: &[u8] = b"postgresql";
/// libpq's words for how much TLS there must be.
const MODES: &str = "disable, prefer, require, verify-ca and verify-full";

/// What a URL says.
pub struct Url {
    pub config: Config,
    mode: Mode,
    /// Who is trusted: a file, or "system".
    authorities: Option<PathBuf>,
    own: Option<(PathBuf, PathBuf)>,
}

/// How much TLS there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// None.
    Disable,
    /// If the server has it.
    Prefer,
    /// With whomever.
    Require,
    /// With somebody who has a certificate of an authority that is trusted.
    VerifyCa,
    /// Whose certificate bears the name of the host, too.
    VerifyFull,
}

/// The words for TLS in a URL.
#[derive(Default)]
struct Words {
    mode: Option<String>,
    authorities: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Url {
    /// Errors: a sentence, which does not have the URL: there may be a password in it.
    pub fn parse(url: &str) -> Result<Url, String> {
        let (url, words) = take_words(url);
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // Names of parameters are in it, and none of their values.
            let cause = error.source().map(|cause| format!(": {cause}"));
            let cause = cause.unwrap_or_default();
            format!("the URL is not as in postgres://USER@HOST:PORT/DATABASE: {error}{cause}")
        })?;
        if config.get_password().is_some() {
            return Err(
                "a password in the URL would be seen by others; --password file:PATH or env:NAME has it"
                    .into(),
            );
        }
        let mode = words.mode()?;
        let is_local = config
            .get_hosts()
            .iter()
            .all(|host| !matches!(host, Host::Tcp(_)));
        config.ssl_mode(match mode {
            // There is no TLS on a Unix socket, as libpq has it, too.
            _ if is_local => SslMode::Disable,
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        if config.get_ssl_negotiation() == SslNegotiation::Direct && mode <= Mode::Prefer {
            return Err(
                "sslnegotiation=direct is TLS from the first byte: write sslmode=verify-full, too".into(),
            );
        }
        let own = match (words.certificate, words.key) {
            (None, None) => None,
            (Some(certificate), key) => {
                let key = key.unwrap_or_else(|| certificate.clone());
                Some((certificate.into(), key.into()))
            }
            (None, Some(_)) => return Err("sslkey needs the certificate, sslcert=FILE".into()),
        };
        Ok(Url {
            config,
            mode,
            authorities: words.authorities.map(PathBuf::from),
            own,
        })
    }

    /// What TLS has to know.
    ///
    /// Errors: a sentence that names the word of the URL.
    pub fn tls(&self) -> Result<ClientConfig, String> {
        let is_system = self
            .authorities
            .as_deref()
            .is_none_or(|path| path == Path::new("system"));
        let whom = match (self.mode, &self.authorities) {
            (Mode::Disable | Mode::Prefer | Mode::Require, _) => Whom::Anybody,
            (_, Some(path)) if !is_system => Whom::File(path),
            _ => Whom::System,
        };
        let names = match self.mode {
            Mode::VerifyFull => HostNames::Checked,
            _ => HostNames::Ignored,
        };
        let own = self.own.as_ref();
        let own = own.map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let mut config = client_config(whom, names, own).map_err(|wrong| match (wrong, whom) {
            (Wrong::Own(why), _) => format!("sslcert: {why}"),
            (Wrong::Trust(_), Whom::System) => {
                "this host has no list of certificate authorities: name one with sslrootcert".into()
            }
            (Wrong::Trust(why), _) => format!("sslrootcert: {why}"),
        })?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }
}

impl Words {
    fn mode(&self) -> Result<Mode, String> {
        let named = self.mode.as_deref().map(|word| match word {
            "disable" => Ok(Mode::Disable),
            "prefer" => Ok(Mode::Prefer),
            "require" => Ok(Mode::Require),
            "verify-ca" => Ok(Mode::VerifyCa),
            "verify-full" => Ok(Mode::VerifyFull),
            other => Err(format!("sslmode={other}: there are {MODES}")),
        });
        let Some(authorities) = &self.authorities else {
            return named.unwrap_or(Ok(Mode::Prefer));
        };
        match named.transpose()? {
            None | Some(Mode::VerifyFull) => Ok(Mode::VerifyFull),
            Some(Mode::VerifyCa) if authorities != "system" => Ok(Mode::VerifyCa),
            // As libpq does, lest somebody names an authority that is not asked.
            Some(Mode::Require) if authorities != "system" => Ok(Mode::VerifyCa),
            Some(_) => Err(format!(
                "sslrootcert={authorities} says who is trusted, and sslmode={} does not ask: write sslmode=verify-full",
                self.mode.as_deref().unwrap_or_default()
            )),
        }
    }
}

/// The URL without the words for TLS, and these.
fn take_words(url: &str) -> (String, Words) {
    let mut words = Words::default();
    let Some((front, query)) = url.split_once('?') else {
        return (url.to_string(), words);
    };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let word = match name {
            "sslmode" => &mut words.mode,
            "sslrootcert" => &mut words.authorities,
            "sslcert" => &mut words.certificate,
            "sslkey" => &mut words.key,
            _ => {
                rest.push(pair);
                continue;
            }
        };
        *word = Some(percent_decoded(value));
    }
    match rest.is_empty() {
        true => (front.to_string(), words),
        false => (format!("{front}?{}", rest.join("&")), words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<(Mode, SslMode), String> {
        Url::parse(url).map(|url| (url.mode, url.config.get_ssl_mode()))
    }

    #[test]
    fn words_of_libpq_say_how_much_tls_there_must_be() {
        for (words, expected) in [
            ("", (Mode::Prefer, SslMode::Prefer)),
            ("?sslmode=disable", (Mode::Disable, SslMode::Disable)),
            (
                "?connect_timeout=3&sslmode=require",
                (Mode::Require, SslMode::Require),
            ),
            ("?sslmode=verify-ca", (Mode::VerifyCa, SslMode::Require)),
            (
                "?sslmode=verify-full&application_name=x",
                (Mode::VerifyFull, SslMode::Require),
            ),
            ("?sslrootcert=/a%20b.pem", (Mode::VerifyFull, SslMode::Require)),
            (
                "?sslrootcert=/a.pem&sslmode=require",
                (Mode::VerifyCa, SslMode::Require),
            ),
            ("?sslrootcert=system", (Mode::VerifyFull, SslMode::Require)),
        ] {
            assert_eq!(
                mode(&format!("postgres://u@h:1/d{words}")),
                Ok(expected),
                "{words}"
            );
        }
        let url = Url::parse("postgres://u@h/d?sslrootcert=/a%20b.pem").unwrap();
        assert_eq!(url.authorities.as_deref(), Some(Path::new("/a b.pem")));
        // On a Unix socket there is none.
        let local = mode("postgres:///d?host=/run/postgresql&sslmode=verify-full");
        assert_eq!(local, Ok((Mode::VerifyFull, SslMode::Disable)));
    }

    #[test]
    fn words_that_do_not_fit_together_are_told_and_no_password_with_them() {
        for (words, expected) in [
            ("?sslmode=allow", "verify-full"),
            ("?sslmode=prefer&sslrootcert=/a.pem", "sslmode=verify-full"),
            ("?sslmode=verify-ca&sslrootcert=system", "sslmode=verify-full"),
            ("?sslkey=/k", "sslcert"),
            ("?sslnegotiation=direct", "sslmode=verify-full"),
            ("?sslcompression=1", "sslcompression"),
        ] {
            let error = mode(&format!("postgres://u@h:1/d{words}")).unwrap_err();
            assert!(error.contains(expected), "{words}: {error}");
        }
        for url in [
            "postgres://u:s3cret@h/d",
            "postgres://u@h/d?password=s3cret&x=1",
            "postgres://u:s3cret@h:x/d",
        ] {
            let error = mode(url).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let url = Url::parse("postgres://u@h/d?sslrootcert=/none.pem").unwrap();
        let error = url.tls().unwrap_err();
        assert!(error.starts_with("sslrootcert: /none.pem"), "{error}");
    }
}
