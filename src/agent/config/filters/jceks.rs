//! Key stores of Java's type JCEKS, read for the secret keys in them.
//!
//! A secret key is a Java object in a sealed object, encrypted with PBEWithMD5AndTripleDES: both halves of the salt
//! are hashed with the password over and over, and what comes out is the key of three times DES and the first
//! vector. Over the whole store goes a digest with the password in it.

use super::java_object::{self, Bytes, Got};
use des::TdesEde3;
use des::cipher::{Block, BlockCipherDecrypt, KeyInit};
use md5::{Digest, Md5};
use sha1::Sha1;

const MAGIC: u32 = 0xcece_cece;
const PRIVATE_KEY: u32 = 1;
const CERTIFICATE: u32 = 2;
const SECRET_KEY: u32 = 3;
/// What is hashed between the password and the store.
const WORDS: &[u8] = b"Mighty Aphrodite";
/// Java writes 200,000 rounds, and 5 million if it is told to: a file may not keep us busy for hours.
const MOST_ROUNDS: u32 = 5_000_000;

/// The secret key under an alias. `None` if there is no such alias. The error is the end of a sentence that
/// begins with the file.
pub(super) fn secret(store: &[u8], password: &str, alias: &str) -> Got<Option<Vec<u8>>> {
    let end = store
        .len()
        .checked_sub(20)
        .ok_or("is no key store: it is too short")?;
    let (body, digest) = store.split_at(end);
    let mut bytes = Bytes(body);
    if bytes.u32()? != MAGIC {
        return Err("is no key store of type JCEKS".into());
    }
    if digest_of(body, password) != digest {
        return Err("does not open: the password is wrong, or the file is damaged".into());
    }
    let version = bytes.u32()?;
    for _ in 0..bytes.u32()? {
        let kind = bytes.u32()?;
        let own = bytes.text()?;
        bytes.take(8)?;
        match kind {
            PRIVATE_KEY => {
                bytes.block()?;
                for _ in 0..bytes.u32()? {
                    pass_certificate(&mut bytes, version)?;
                }
            }
            CERTIFICATE => pass_certificate(&mut bytes, version)?,
            SECRET_KEY => {
                let sealed = java_object::read(&mut bytes)?;
                // Java has them in lower case.
                if own.eq_ignore_ascii_case(alias) {
                    return open(&sealed, password).map(Some);
                }
            }
            other => return Err(format!("has an entry of kind {other}, which is not known")),
        }
    }
    Ok(None)
}

fn pass_certificate(bytes: &mut Bytes<'_>, version: u32) -> Got<()> {
    if version == 2 {
        bytes.text()?;
    }
    bytes.block().map(drop)
}

fn digest_of(body: &[u8], password: &str) -> [u8; 20] {
    let mut hash = Sha1::new();
    for unit in password.encode_utf16() {
        hash.update(unit.to_be_bytes());
    }
    hash.update(WORDS);
    hash.update(body);
    hash.finalize().into()
}

/// The key in a sealed object.
fn open(sealed: &java_object::Object, password: &str) -> Got<Vec<u8>> {
    let missing = || format!("has a sealed key without {}", sealed.class);
    let params = sealed.bytes("encodedParams").ok_or_else(missing)?;
    let content = sealed.bytes("encryptedContent").ok_or_else(missing)?;
    let algorithm = sealed.text("sealAlg").unwrap_or_default();
    if !algorithm.eq_ignore_ascii_case("PBEWithMD5AndTripleDES") {
        return Err(format!(
            "has a key that is sealed with {algorithm}, which cannot be read here"
        ));
    }
    let (salt, rounds) = parameters(params)?;
    let clear = decrypt(content, salt, rounds, password)?;
    let key = java_object::read(&mut Bytes(&clear))?;
    // Either the key itself, or what stands for it.
    let bytes = key.bytes("key").or_else(|| key.bytes("encoded"));
    let bytes = bytes.ok_or_else(|| format!("has a key of class {}, which is not known", key.class))?;
    Ok(bytes.to_vec())
}

/// Salt and rounds, as DER: a sequence of an octet string and an integer.
fn parameters(der: &[u8]) -> Got<([u8; 8], u32)> {
    let mut bytes = Bytes(der);
    let mut part = |tag: u8| -> Got<usize> {
        match (bytes.u8()? == tag, bytes.u8()?) {
            (true, length) if length < 0x80 => Ok(length.into()),
            _ => Err("has a sealed key with parameters that are not known".into()),
        }
    };
    part(0x30)?;
    let length = part(0x04)?;
    let salt = bytes.take(length)?.try_into();
    let salt = salt.map_err(|_| format!("has a salt of {length} bytes, and 8 are right"))?;
    let tag = bytes.u8()?;
    let length = bytes.u8()?;
    if tag != 0x02 || !(1..=4).contains(&length) {
        return Err("has a sealed key with too many rounds".into());
    }
    let number = bytes.take(length.into())?;
    let rounds = number.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
    match (1..=MOST_ROUNDS).contains(&rounds) {
        true => Ok((salt, rounds)),
        false => Err(format!(
            "has a key that is sealed with {rounds} rounds, and {MOST_ROUNDS} is the most"
        )),
    }
}

fn decrypt(content: &[u8], mut salt: [u8; 8], rounds: u32, password: &str) -> Got<Vec<u8>> {
    let failed = || "has a key that cannot be decrypted: it is damaged".to_string();
    if salt[..4] == salt[4..] {
        // Java means to turn the first half around, and does this.
        for at in 0..2 {
            let held = salt[at];
            salt[at] = salt[3 - at];
            salt[2] = held;
        }
    }
    // Java keeps seven bits of each character.
    let password: Vec<u8> = password.encode_utf16().map(|unit| (unit & 0x7f) as u8).collect();
    let mut derived = [0; 32];
    for (half, out) in salt.chunks(4).zip(derived.chunks_mut(16)) {
        let mut hashed = half.to_vec();
        for _ in 0..rounds {
            let mut hash = Md5::new();
            hash.update(&hashed);
            hash.update(&password);
            hashed = hash.finalize().to_vec();
        }
        out.copy_from_slice(&hashed);
    }
    let (key, first) = derived.split_at(24);
    let cipher = TdesEde3::new_from_slice(key).map_err(|_| failed())?;
    let mut before = first.to_vec();
    let mut clear = Vec::with_capacity(content.len());
    for chunk in content.chunks(8) {
        let mut block = Block::<TdesEde3>::try_from(chunk).map_err(|_| failed())?;
        cipher.decrypt_block(&mut block);
        clear.extend(block.iter().zip(&before).map(|(one, other)| one ^ other));
        before = chunk.to_vec();
    }
    let padding = usize::from(*clear.last().ok_or_else(failed)?);
    let kept = clear
        .len()
        .checked_sub(padding)
        .filter(|_| (1..=8).contains(&padding));
    clear.truncate(kept.ok_or_else(failed)?);
    Ok(clear)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A digest that is right lets the fault through to what lies behind it.
    #[test]
    fn no_changed_byte_panics() {
        let store = include_bytes!("hadoop.jceks");
        let body = store.len() - 20;
        for at in 0..body {
            for change in [0x01, 0x55, 0xff] {
                let mut bytes = store[..body].to_vec();
                bytes[at] ^= change;
                let digest = digest_of(&bytes, "none");
                bytes.extend(digest);
                for alias in ["storePassword", "other"] {
                    let _ = secret(&bytes, "none", alias);
                }
            }
        }
    }
}
