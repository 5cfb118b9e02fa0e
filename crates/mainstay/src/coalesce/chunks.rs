//! The bytes of a body as they come.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A single chunk as it came, or several in one buffer: a body of single bytes costs no more memory
/// than one that comes whole.
#[derive(Default)]
pub(super) struct Chunks {
    first: Bytes,
    all: BytesMut,
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.all.len()
    }

    pub(super) fn add(&mut self, mut data: impl Buf) {
        if data.has_remaining() && self.len() == 0 {
            self.first = data.copy_to_bytes(data.remaining());
            return;
        }
        if data.has_remaining() {
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
            self.all.put(data);
        }
    }

    pub(super) fn join(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_small_pieces_takes_no_more_memory_than_its_bytes() {
        let mut chunks = Chunks::default();
        for _ in 0..1_000 {
            chunks.add(&b""[..]);
            chunks.add(&b"x"[..]);
        }
        assert_eq!((chunks.len(), chunks.first.len()), (1_000, 0));
        assert!(chunks.all.capacity() < 4_000, "{}", chunks.all.capacity());
        assert_eq!(chunks.join(), "x".repeat(1_000));
    }
}
