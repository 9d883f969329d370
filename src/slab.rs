//! Recycled byte buffers for the encoded events of a batch.
//!
//! A fresh 140 KiB vector for each batch is a page fault for each 4 KiB of it; together with a queue that
//! made a pass-through stage half as dear again. So a slab goes back to a small shelf when the last
//! reference to its bytes is dropped, whoever held it, and the next batch takes it from there.
//!
//! A batch of a few events is not worth a slab: the shelf would run empty, and each would be an allocation,
//! freed by another thread. Such batches are copied one behind the other into blocks that they share.

use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::sync::Mutex;

/// Slabs kept on the shelf at most.
const SHELF_SLABS: usize = 64;
/// Bytes kept on the shelf at most, so that a burst of large batches is given back to the system.
const SHELF_BYTES: usize = 8 << 20;

/// Bytes of a block for small batches. One that is held long keeps a whole block from being freed.
const BLOCK_BYTES: usize = 16 << 10;
/// Batches up to here go into blocks; copying a larger one costs more than its slab.
pub const SMALL_BYTES: usize = 2 << 10;

thread_local! {
    static BLOCK: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

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
    if slab.len() <= SMALL_BYTES {
        let frozen = copy(&slab);
        give(slab);
        return frozen;
    }
    Bytes::from_owner(Recycled(slab))
}

/// A frozen copy of a few bytes: next to others that this thread has copied, in a block that goes with the
/// last of them.
pub fn copy(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() {
        return Bytes::new();
    }
    let copied = BLOCK.try_with(|block| {
        let mut block = block.borrow_mut();
        if block.capacity() < bytes.len() {
            *block = BytesMut::with_capacity(BLOCK_BYTES.max(bytes.len()));
        }
        block.extend_from_slice(bytes);
        block.split().freeze()
    });
    // Only while the thread ends.
    copied.unwrap_or_else(|_| Bytes::copy_from_slice(bytes))
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
        for length in [5, SMALL_BYTES + 1] {
            let mut first = take();
            first.resize(length, 1);
            let frozen = freeze(first);
            let mut second = take();
            second.resize(length, 2);
            assert_eq!(frozen, vec![1; length]);
            give(second);
            assert_eq!(frozen, vec![1; length]);
        }
    }

    #[test]
    fn copies_in_one_block_keep_their_content_and_their_own_ends() {
        let copies: Vec<Bytes> = (0..100u8).map(|number| copy(&[number; 700])).collect();
        for (number, copied) in copies.iter().enumerate() {
            assert_eq!(copied, &vec![number as u8; 700]);
        }
        assert!(copy(&[]).is_empty());
        assert_eq!(copy(&vec![3; BLOCK_BYTES + 1]), vec![3; BLOCK_BYTES + 1]);
    }

    #[test]
    fn shelf_does_not_keep_a_buffer_over_its_bound() {
        give(Vec::with_capacity(SHELF_BYTES + 1));
        assert!(lock().bytes <= SHELF_BYTES);
    }
}
