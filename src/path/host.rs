//! The names and the address of this host.

use crate::this_host::{address_of, canonical_name, own_name};
use std::sync::OnceLock;

/// `localhost`, `IP` or `FQDN`, in any case. They are looked up once.
pub(super) fn named(word: &str) -> Result<String, String> {
    static FOUND: OnceLock<[String; 3]> = OnceLock::new();
    let place = match word.to_ascii_lowercase().as_str() {
        "localhost" => 0,
        "ip" => 1,
        "fqdn" => 2,
        _ => {
            return Err(format!(
                "%[{word}] is no escape; there are %[localhost], %[IP] and %[FQDN]"
            ));
        }
    };
    Ok(FOUND.get_or_init(look_up)[place].clone())
}

fn look_up() -> [String; 3] {
    let name = own_name();
    match address_of(&name) {
        Some(address) => {
            let canonical = canonical_name(address).unwrap_or_else(|| name.clone());
            [name, address.to_string(), canonical]
        }
        None => [name.clone(), name.clone(), name],
    }
}
