//! What came out of escapes, made safe as a path.

use md5::{Digest, Md5};

/// Bytes of a component at most. A file system takes 255; a sink puts more of its own around a name.
const COMPONENT: usize = 200;
/// Bytes of all components at most. Below 4,096 with the directory in front.
const PATH: usize = 2048;

/// Append a relative path: its components are neither empty nor hidden, and it is short enough.
pub(super) fn path(text: &[u8], out: &mut Vec<u8>) {
    let components = text.split(|byte| *byte == b'/');
    for component in components.filter(|component| !component.is_empty()) {
        let start = out.len();
        if start > 0 {
            out.push(b'/');
        }
        append(component, out);
        if out.len() > PATH - COMPONENT {
            // The rest of the whole text is one component, its hash.
            out.truncate(start);
            out.push(b'/');
            out.extend_from_slice(hash(text).as_bytes());
            return;
        }
    }
}

/// Append one component, in which a slash is `%2F`.
pub(super) fn component(text: &[u8], out: &mut Vec<u8>) {
    append(text, out);
}

fn append(component: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    for (index, byte) in component.iter().enumerate() {
        let is_bad = byte.is_ascii_control() || *byte == b'/' || (index == 0 && *byte == b'.');
        match is_bad {
            true => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            false => out.push(*byte),
        }
        if out.len() - start > COMPONENT {
            break;
        }
    }
    if out.len() - start > COMPONENT {
        let hash = hash(component);
        let mut end = start + COMPONENT - hash.len() - 1;
        // Not in the middle of a character.
        while end > start && out[end] & 0xC0 == 0x80 {
            end -= 1;
        }
        out.truncate(end);
        out.push(b'~');
        out.extend_from_slice(hash.as_bytes());
    }
}

fn hash(text: &[u8]) -> String {
    let digest = Md5::digest(text);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
