//! What the targets share: checksums made right, so that the fuzzer reaches what lies behind them.

use flume::wire::{HEADER, MAGIC, crc32c};

/// The bytes as a chain of frames: at each place where a header would stand its magic and both checksums are
/// put right, with the salt of a segment (0 in a stream). Everything else, lengths too, stays as it is.
pub fn mended(bytes: &[u8], salt: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + HEADER <= bytes.len() {
        let (header, rest) = bytes[at..].split_at_mut(HEADER);
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        header[..4].copy_from_slice(&MAGIC);
        let payload = &rest[..length.min(rest.len())];
        header[40..44].copy_from_slice(&crc32c(payload).to_le_bytes());
        let mut summed = header[..44].to_vec();
        if salt != 0 {
            summed.extend_from_slice(&salt.to_le_bytes());
        }
        header[44..].copy_from_slice(&crc32c(&summed).to_le_bytes());
        at += HEADER + length;
    }
    bytes
}
