//! `ipFilterRules`: who may connect, by address or by host name (Flume's rules of its avro source).
//!
//! The first rule that fits decides, and whom none fits may connect. A pattern has `*` for any characters and `?`
//! for one; `name:localhost` means this host by all of its addresses.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// Characters that a host name may have, with its closing zero.
const HOST_NAME: usize = 1025;

/// Rules in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpRules(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    allows: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Ip(String),
    Name(String),
    ThisHost,
}

impl IpRules {
    /// Read `allow|deny:ip|name:PATTERN`, separated by commas.
    pub fn parse(text: &str) -> Result<IpRules, String> {
        let words = text.trim().trim_end_matches([',', ' ']);
        if words.is_empty() {
            return Err(
                "the property ipFilterRules is missing: who may connect, such as allow:ip:10.*,deny:ip:*"
                    .into(),
            );
        }
        words.split(',').map(rule).collect::<Result<_, _>>().map(IpRules)
    }

    /// May this address connect?
    pub fn allows(&self, ip: IpAddr) -> bool {
        self.decides(ip, &|| host_name(ip))
    }

    /// With `name_of` to ask for the name of the address, which may take its time.
    fn decides(&self, ip: IpAddr, name_of: &dyn Fn() -> String) -> bool {
        let ip = ip.to_canonical();
        let fits = |rule: &&Rule| match &rule.what {
            What::Ip(pattern) => fits(pattern, &ip.to_string()) || fits(pattern, &as_java(ip)),
            What::Name(pattern) => fits(pattern, &name_of()),
            What::ThisHost => is_this_host(ip),
        };
        self.0.iter().find(fits).is_none_or(|rule| rule.allows)
    }
}

fn rule(word: &str) -> Result<Rule, String> {
    let word = word.trim();
    let shape = || {
        format!(
            "ipFilterRules: \"{word}\" is no rule; one is allow or deny, ip or name, and a pattern, as in allow:ip:127.*"
        )
    };
    let mut parts = word.splitn(3, ':');
    let (Some(access), Some(kind), Some(pattern)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(shape());
    };
    let allows = match access.to_ascii_lowercase().as_str() {
        "allow" => true,
        "deny" => false,
        _ => return Err(shape()),
    };
    let what = match (kind.to_ascii_lowercase().as_str(), pattern.trim()) {
        (_, "") => return Err(shape()),
        ("name", "localhost") => What::ThisHost,
        ("ip", pattern) => What::Ip(pattern.into()),
        ("name", pattern) => What::Name(pattern.into()),
        _ => return Err(shape()),
    };
    Ok(Rule { allows, what })
}

/// Does the pattern fit all of the text?
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    // Where to go on when the last star has to take one character more.
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, from));
            }
            Some(b'?') => (at, from) = (at + 1, from + 1),
            Some(byte) if *byte == text[from] => (at, from) = (at + 1, from + 1),
            _ => match star {
                None => return false,
                Some((behind, taken)) => {
                    star = Some((behind, taken + 1));
                    (at, from) = (behind, taken + 1);
                }
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Java writes an IPv6 address in full.
pub(super) fn as_java(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let groups = ip.segments().map(|group| format!("{group:x}"));
            groups.join(":")
        }
    }
}

fn is_this_host(ip: IpAddr) -> bool {
    if ip.is_loopback() {
        return true;
    }
    let uname = rustix::system::uname();
    let own = (&*uname.nodename().to_string_lossy(), 0).to_socket_addrs();
    own.is_ok_and(|mut own| own.any(|own| own.ip().to_canonical() == ip))
}

/// The name of an address; the address itself where it has none.
#[allow(unsafe_code)]
pub(super) fn host_name(ip: IpAddr) -> String {
    let address = SocketAddr::new(ip, 0);
    let mut name = [0u8; HOST_NAME];
    let encoded = rustix::net::SocketAddrAny::from(address);
    // SAFETY: both pointers are to memory that lives through the call, with their right lengths; the standard
    // library has no reverse look-up.
    let failed = unsafe {
        libc::getnameinfo(
            encoded.as_ptr().cast(),
            encoded.addr_len() as libc::socklen_t,
            name.as_mut_ptr().cast(),
            name.len() as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    match failed {
        0 => String::from_utf8_lossy(&name[..end]).into_owned(),
        _ => as_java(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &str, ip: &str, name: &str, expected: bool) {
        let rules_read = IpRules::parse(rules).unwrap();
        let found = rules_read.decides(ip.parse().unwrap(), &|| name.into());
        assert_eq!(found, expected, "{rules} for {ip}, {name}");
    }

    #[test]
    fn first_rule_that_fits_decides_and_whom_none_fits_may() {
        let usual = "allow:ip:127.*,allow:name:localhost,deny:ip:*";
        check(usual, "127.0.0.1", "", true);
        check(usual, "::1", "", true);
        check(usual, "10.0.0.7", "", false);
        check("deny:ip:10.0.0.?,allow:ip:10.*", "10.0.0.7", "", false);
        check("deny:ip:10.0.0.?,allow:ip:10.*", "10.0.0.77", "", true);
        check("deny:ip:10.*", "192.168.0.1", "", true);
        check("Deny:NAME:*.example.org", "10.0.0.7", "host.example.org", false);
        check("deny:name:*.example.org", "10.0.0.7", "host.example.com", true);
        check("deny:name:localhost", "127.9.9.9", "", false);
        check("deny:ip:10.*", "::ffff:10.1.2.3", "", false);
        check("deny:ip:0:0:0:0:0:0:0:1", "::1", "", false);
        check("deny:ip:::1", "::1", "", false);
    }

    #[test]
    fn stars_take_as_much_as_they_have_to() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("?", "", false),
            ("a*b*c", "aXbbYc", true),
            ("a*b*c", "aXbbY", false),
            ("*.7", "1.7.7", true),
            ("**7", "7", true),
            ("1.7", "1x7", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn rule_that_is_none_is_named() {
        for bad in [
            "allow",
            "allow:ip",
            "permit:ip:*",
            "allow:mac:*",
            "allow:ip:",
            "allow:ip:*,,deny:ip:*",
        ] {
            let error = IpRules::parse(bad).unwrap_err();
            assert!(error.contains("is no rule"), "{error}");
        }
        assert!(IpRules::parse(" ").unwrap_err().contains("missing"));
        assert!(IpRules::parse("allow:ip:*,").is_ok());
    }

    #[test]
    fn name_of_an_address_is_looked_up() {
        // What the name is depends on the host; an address that is for documentation has none.
        assert!(!host_name("127.0.0.1".parse().unwrap()).is_empty());
        assert_eq!(host_name("192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
