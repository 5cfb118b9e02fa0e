//! The body of an answer, piece by piece, up to where it breaks off.

use std::time::Duration;

use bytes::Bytes;

use super::reply::{Break, Fault, Http, Source};

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// After this pause, these bytes.
    Bytes(Duration, Bytes),
    /// It has been sent.
    End,
    /// It breaks off.
    Breaks(Break),
}

/// The pieces of a body.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    http: &'a Http,
    /// Of the frame that is being sent.
    rest: Bytes,
    /// Where the next one is.
    frame: usize,
    sent: u64,
    is_first: bool,
}

impl<'a> Pieces<'a> {
    pub(super) const fn new(http: &'a Http) -> Self {
        Self { http, rest: Bytes::new(), frame: 0, sent: 0, is_first: true }
    }

    pub(super) fn next(&mut self) -> Piece {
        let left = self.left();
        if left == 0 {
            return self.over();
        }
        if self.rest.is_empty() {
            match self.frame() {
                Some(frame) => self.rest = frame,
                None => return self.over(),
            }
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.http.piece);
        let bytes = self.rest.split_to(self.rest.len().min(most));
        self.sent += length(&bytes);
        let pause = if self.is_first { Duration::ZERO } else { self.http.pause };
        self.is_first = false;
        Piece::Bytes(pause, bytes)
    }

    /// The next frame that is not empty.
    fn frame(&mut self) -> Option<Bytes> {
        loop {
            let frame = match &self.http.body {
                Source::Whole(body) => (self.frame == 0).then(|| body.clone())?,
                Source::Frames(frames) => frames.get(self.frame)?.clone(),
                Source::Endless(frame) if frame.is_empty() => return None,
                Source::Endless(frame) => return Some(frame.clone()),
            };
            self.frame += 1;
            if !frame.is_empty() {
                return Some(frame);
            }
        }
    }

    /// How many bytes there are before it breaks off.
    const fn left(&self) -> u64 {
        match self.http.fault {
            Some(Fault::At { bytes, .. }) => bytes.saturating_sub(self.sent),
            Some(Fault::HalfHead) | None => u64::MAX,
        }
    }

    const fn over(&self) -> Piece {
        match self.http.fault {
            Some(Fault::At { end, .. }) => Piece::Breaks(end),
            Some(Fault::HalfHead) | None => Piece::End,
        }
    }
}

pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Reply;
    use super::super::reply::Answer;
    use super::*;

    const PAUSE: Duration = Duration::from_millis(5);

    /// What comes of a reply, up to six pieces.
    fn all(reply: Reply) -> (Vec<(Duration, String)>, Option<Piece>) {
        let Answer::Http(http) = reply.answer else { panic!("it is no answer") };
        let (mut pieces, mut sent) = (Pieces::new(&http), Vec::new());
        for _ in 0..6 {
            match pieces.next() {
                Piece::Bytes(pause, bytes) => {
                    sent.push((pause, String::from_utf8(bytes.to_vec()).unwrap()));
                }
                end => return (sent, Some(end)),
            }
        }
        (sent, None)
    }

    fn at(pause: Duration, text: &str) -> (Duration, String) {
        (pause, text.to_owned())
    }

    #[test]
    fn a_body_is_sent_whole_and_in_pieces_with_pauses_between() {
        let zero = Duration::ZERO;
        let reply = Reply::ok("seven").pause(PAUSE);
        assert_eq!(all(reply.clone()), (vec![at(zero, "seven")], Some(Piece::End)));
        let pieces = vec![at(zero, "se"), at(PAUSE, "ve"), at(PAUSE, "n")];
        assert_eq!(all(reply.pieces(2)), (pieces, Some(Piece::End)));
        assert_eq!(all(Reply::status(204)), (vec![], Some(Piece::End)));
    }

    #[test]
    fn frames_stay_apart_and_empty_ones_are_none() {
        let reply = Reply::status(200).frames(["", "one", "", "two"]).pieces(2).pause(PAUSE);
        let zero = Duration::ZERO;
        let pieces = vec![at(zero, "on"), at(PAUSE, "e"), at(PAUSE, "tw"), at(PAUSE, "o")];
        assert_eq!(all(reply), (pieces, Some(Piece::End)));
    }

    #[test]
    fn an_endless_body_has_no_end_unless_it_breaks_off() {
        let reply = Reply::status(200).endless("ab");
        assert_eq!(all(reply.clone()).1, None);
        let zero = Duration::ZERO;
        let pieces = vec![at(zero, "ab"), at(zero, "a")];
        assert_eq!(all(reply.closes_at(3)), (pieces, Some(Piece::Breaks(Break::Closes))));
        assert_eq!(all(Reply::status(200).endless("")).1, Some(Piece::End));
    }

    #[test]
    fn it_breaks_off_where_it_is_told_to_and_at_its_end_at_the_latest() {
        let zero = Duration::ZERO;
        let stalls = Some(Piece::Breaks(Break::Stalls));
        assert_eq!(all(Reply::ok("seven").stalls_at(0)), (vec![], stalls));
        let stalls = Some(Piece::Breaks(Break::Stalls));
        assert_eq!(all(Reply::ok("seven").stalls_at(2)), (vec![at(zero, "se")], stalls));
        let resets = Some(Piece::Breaks(Break::Resets(2)));
        assert_eq!(all(Reply::ok("seven").resets_at(9)), (vec![at(zero, "seven")], resets));
    }
}
