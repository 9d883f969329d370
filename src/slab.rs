//! Recycled byte buffers for the encoded events of a batch.
//!
//! A fresh 140 KiB vector for each batch is a page fault for each 4 KiB of it; together with a queue that
//! made a pass-through stage half as dear again. So a slab goes back to a small shelf when the last
//! reference to its bytes is dropped, whoever held it, and the next batch takes it from there.

use bytes::Bytes;
use std::sync::Mutex;

/// Slabs kept on the shelf at most.
const SHELF_SLABS: usize = 64;
/// Bytes kept on the shelf at most, so that a burst of large batches is given back to the system.
const SHELF_BYTES: usize = 8 << 20;

struct Shelf {
    slabs: Vec<Vec<u8>>,
    bytes: usize,
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf {
    slabs: Vec::new(),
    bytes: 0,
});

/// An empty buffer, from the shelf where one is there.
pub fn take() -> Vec<u8> {
    let mut shelf = lock();
    match shelf.slabs.pop() {
        Some(slab) => {
            shelf.bytes -= slab.capacity();
            slab
        }
        None => Vec::new(),
    }
}

/// Give a buffer back without having frozen it.
pub fn give(mut slab: Vec<u8>) {
    let capacity = slab.capacity();
    if capacity == 0 {
        return;
    }
    slab.clear();
    let mut shelf = lock();
    if shelf.slabs.len() < SHELF_SLABS && shelf.bytes + capacity <= SHELF_BYTES {
        shelf.bytes += capacity;
        shelf.slabs.push(slab);
    }
}

/// Freeze a buffer: shared, immutable, and back on the shelf when its last reference goes.
pub fn freeze(slab: Vec<u8>) -> Bytes {
    if slab.is_empty() {
        give(slab);
        return Bytes::new();
    }
    Bytes::from_owner(Recycled(slab))
}

struct Recycled(Vec<u8>);

impl AsRef<[u8]> for Recycled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        give(std::mem::take(&mut self.0));
    }
}

fn lock() -> std::sync::MutexGuard<'static, Shelf> {
    // The shelf is only ever a cache: a panic elsewhere leaves it usable.
    SHELF.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen_bytes_keep_their_content_when_the_shelf_is_used_meanwhile() {
        let mut first = take();
        first.extend_from_slice(b"first");
        let frozen = freeze(first);
        let mut second = take();
        second.extend_from_slice(b"second");
        assert_eq!(&frozen[..], b"first");
        give(second);
        assert_eq!(&frozen[..], b"first");
    }

    #[test]
    fn shelf_does_not_keep_a_buffer_over_its_bound() {
        give(Vec::with_capacity(SHELF_BYTES + 1));
        assert!(lock().bytes <= SHELF_BYTES);
    }
}
