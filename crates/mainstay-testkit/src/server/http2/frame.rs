//! Frames of HTTP/2, as far as the server writes some of its own.

use bytes::{BufMut, Bytes, BytesMut};

const HEAD: usize = 9;
const HEADERS: u8 = 1;
const GO_AWAY: u8 = 7;

fn frame(kind: u8, stream: u32, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD + payload.len());
    frame.put_uint(u64::try_from(payload.len()).unwrap_or(u64::MAX), 3);
    frame.put_u8(kind);
    frame.put_u8(0);
    frame.put_u32(stream);
    frame.put_slice(payload);
    frame.freeze()
}

/// Says that streams beyond this one will not be looked at.
pub(super) fn go_away(last: u32) -> Bytes {
    const NO_ERROR: u32 = 0;
    frame(GO_AWAY, 0, &[last.to_be_bytes(), NO_ERROR.to_be_bytes()].concat())
}

/// The beginning of a head, which goes on in frames that never come.
pub(super) fn half_head(stream: u32) -> Bytes {
    const STATUS_200: u8 = 0x88; // of HPACK's table
    frame(HEADERS, stream, &[STATUS_200])
}

/// Where in a sequence of frames a writer stands.
#[derive(Debug, Default)]
pub(super) struct Edge {
    head: [u8; HEAD],
    /// How much of the head has passed.
    have: usize,
    /// How much of the payload is to pass.
    left: usize,
}

impl Edge {
    /// Whether one frame has ended and the next has not begun.
    pub(super) const fn is_here(&self) -> bool {
        self.have == 0
    }

    /// How many of these bytes there are up to the end of the frame that has begun.
    pub(super) fn distance(&self, bytes: &[u8]) -> usize {
        let mut ahead = Self { head: self.head, ..*self };
        let passed = bytes.iter().position(|byte| {
            ahead.passes(std::slice::from_ref(byte));
            ahead.is_here()
        });
        passed.map_or(bytes.len(), |last| last + 1)
    }

    /// These bytes have been written.
    pub(super) fn passes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.have < HEAD {
                let taken = bytes.len().min(HEAD - self.have);
                self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
                self.have += taken;
                bytes = &bytes[taken..];
                if self.have == HEAD {
                    let [a, b, c, ..] = self.head.map(usize::from);
                    self.left = a << 16 | b << 8 | c;
                }
            } else {
                let taken = bytes.len().min(self.left);
                self.left -= taken;
                bytes = &bytes[taken..];
            }
            if self.have == HEAD && self.left == 0 {
                self.have = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_where_a_frame_has_ended() {
        let frames = [go_away(0), half_head(1), go_away(7)].concat();
        let edges = [go_away(0).len(), half_head(1).len(), go_away(7).len()];
        for step in [1, 4, 9, 17, 100] {
            let (mut edge, mut at) = (Edge::default(), 0);
            for part in frames.chunks(step) {
                let next = [edges[0], edges[0] + edges[1], frames.len()];
                let next = next.into_iter().find(|next| *next > at).unwrap();
                assert_eq!(edge.distance(&frames[at..]), next - at, "{step}, at {at}");
                edge.passes(part);
                at += part.len();
                let ends = [edges[0], edges[0] + edges[1], frames.len()];
                assert_eq!(edge.is_here(), ends.contains(&at), "{step}, at {at}");
            }
        }
    }

    #[test]
    fn a_frame_without_payload_ends_with_its_head() {
        let mut edge = Edge::default();
        edge.passes(&[0; HEAD - 1]);
        assert!(!edge.is_here());
        edge.passes(&[0]);
        assert!(edge.is_here());
    }
}
