//! Protocols and cipher suites by the names that Java has for them.

use rustls::crypto::CryptoProvider;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use std::sync::Arc;

/// Protocols that Java has and that are not spoken here: they are broken.
const BROKEN: &[&str] = &["SSLv2Hello", "SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];

/// What may be spoken.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    pub provider: Arc<CryptoProvider>,
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

/// Lists of names as settings give them: separated by blanks or commas; an empty list of what to include
/// includes everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    pub include_protocols: String,
    pub exclude_protocols: String,
    pub include_ciphers: String,
    pub exclude_ciphers: String,
}

fn split(list: &str) -> Vec<&str> {
    list.split([' ', ',', '\t', '\n'])
        .filter(|name| !name.is_empty())
        .collect()
}

impl Lists {
    /// What these lists leave. The error is a sentence about a name, or about nothing that is left.
    pub fn spoken(&self) -> Result<Spoken, String> {
        let versions = self.versions()?;
        let mut provider = (*super::provider()).clone();
        provider.cipher_suites = self.suites(provider.cipher_suites)?;
        let usable = |version: &&&'static SupportedProtocolVersion| {
            let suites = provider.cipher_suites.iter();
            let mut suites = suites.filter(|suite| suite.version() == **version);
            suites.next().is_some()
        };
        let versions: Vec<_> = versions.iter().filter(usable).copied().collect();
        if versions.is_empty() {
            return Err(
                "include-cipher-suites and include-protocols have nothing in common: the suites of TLSv1.3 \
                        are others than those of TLSv1.2"
                    .into(),
            );
        }
        Ok(Spoken {
            provider: Arc::new(provider),
            versions,
        })
    }

    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
        let all = [
            ("TLSv1.3", &rustls::version::TLS13),
            ("TLSv1.2", &rustls::version::TLS12),
        ];
        let (included, excluded) = (split(&self.include_protocols), split(&self.exclude_protocols));
        for name in included.iter().chain(&excluded) {
            let known = all.iter().any(|(known, _)| known == name) || BROKEN.contains(name);
            if !known {
                return Err(format!(
                    "\"{name}\" is no protocol of TLS; there are TLSv1.3 and TLSv1.2"
                ));
            }
        }
        let left: Vec<_> = all
            .iter()
            .filter(|(name, _)| included.is_empty() || included.contains(name))
            .filter(|(name, _)| !excluded.contains(name))
            .map(|(_, version)| *version)
            .collect();
        match left.is_empty() {
            false => Ok(left),
            true => Err(format!(
                "no protocol is left of include-protocols \"{}\" less exclude-protocols \"{}\": TLSv1.3 and TLSv1.2 \
                 are spoken, older ones are broken",
                self.include_protocols, self.exclude_protocols
            )),
        }
    }

    fn suites(&self, all: Vec<SupportedCipherSuite>) -> Result<Vec<SupportedCipherSuite>, String> {
        let (included, excluded) = (split(&self.include_ciphers), split(&self.exclude_ciphers));
        if let Some(name) = included.iter().chain(&excluded).find(|name| !is_suite(name)) {
            return Err(format!(
                "\"{name}\" is no name of a cipher suite, such as TLS_AES_128_GCM_SHA256"
            ));
        }
        let known = all.iter().map(name_of).collect::<Vec<_>>().join(", ");
        let left: Vec<_> = all
            .into_iter()
            .filter(|suite| included.is_empty() || included.contains(&name_of(suite).as_str()))
            .filter(|suite| !excluded.contains(&name_of(suite).as_str()))
            .collect();
        match left.is_empty() {
            false => Ok(left),
            true => Err(format!(
                "no cipher suite is left of include-cipher-suites less exclude-cipher-suites; there are {known}"
            )),
        }
    }
}

fn is_suite(name: &str) -> bool {
    let rest = name.strip_prefix("TLS_").or_else(|| name.strip_prefix("SSL_"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
    })
}

/// The suite's name in Java.
fn name_of(suite: &SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.replacen("TLS13_", "TLS_", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lists: Lists, expected: Result<(usize, usize), &str>) {
        match (lists.spoken(), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(
                    (found.versions.len(), found.provider.cipher_suites.len()),
                    expected
                );
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn names_of_java_choose_what_is_spoken() {
        let all = Lists::default().spoken().unwrap().provider.cipher_suites.len();
        check(Lists::default(), Ok((2, all)));
        let protocols = |include: &str, exclude: &str| Lists {
            include_protocols: include.into(),
            exclude_protocols: exclude.into(),
            ..Lists::default()
        };
        check(protocols("TLSv1 TLSv1.1, TLSv1.2", "SSLv3"), Ok((1, all)));
        check(protocols("", "SSLv3 TLSv1.2"), Ok((1, all)));
        check(protocols("TLSv1", ""), Err("no protocol is left"));
        check(protocols("", "TLSv1.2 TLSv1.3"), Err("no protocol is left"));
        check(protocols("TLS1.2", ""), Err("\"TLS1.2\" is no protocol"));
        let ciphers = |include: &str, exclude: &str| Lists {
            include_ciphers: include.into(),
            exclude_ciphers: exclude.into(),
            ..Lists::default()
        };
        check(ciphers("TLS_AES_128_GCM_SHA256", ""), Ok((1, 1)));
        check(
            ciphers(
                "TLS_RSA_WITH_AES_128_CBC_SHA TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "",
            ),
            Ok((1, 1)),
        );
        check(
            ciphers("", "TLS_AES_128_GCM_SHA256,SSL_RSA_WITH_RC4_128_MD5"),
            Ok((2, all - 1)),
        );
        check(
            ciphers("TLS_RSA_WITH_AES_128_CBC_SHA", ""),
            Err("no cipher suite is left"),
        );
        check(
            ciphers("aes128", ""),
            Err("\"aes128\" is no name of a cipher suite"),
        );
        let lists = Lists {
            include_protocols: "TLSv1.2".into(),
            include_ciphers: "TLS_AES_128_GCM_SHA256".into(),
            ..Lists::default()
        };
        check(lists, Err("nothing in common"));
    }
}
