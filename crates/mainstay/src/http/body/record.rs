//! The frames that have been read of a body, as far as a copy may still ask for them.

use std::collections::VecDeque;
use std::mem;

use ::http::HeaderMap;
use bytes::Bytes;
use http_body::Frame;

use super::limits::Share;

/// Frames beyond those that fit by their bytes: a body may come in small pieces, but what it costs
/// to keep them apart must not outweigh the limit.
const SPARE_FRAMES: usize = 64;

/// A run of frames, as they came: all that have been read, until that is too much or nobody else
/// could ask for them.
pub(super) struct Record {
    frames: VecDeque<Kept>,
    /// How many frames came before those that are here.
    gone: usize,
    /// Whether it begins at the first frame and will go on to the last.
    whole: bool,
    share: Share,
}

/// What there is at a place.
pub(super) enum Place {
    Frame(Frame<Bytes>),
    /// It has been read, and is gone.
    Gone,
    /// It has not been read yet.
    Unread,
}

pub(super) enum Kept {
    Data(Bytes),
    /// Boxed, because an entry would otherwise be three times as large.
    Trailers(Box<HeaderMap>),
}

/// Frames to be dropped once the lock is free: the memory behind them may be a user's.
pub(super) type Freed = VecDeque<Kept>;

impl Record {
    pub(super) fn new(share: Share, least: u64) -> Self {
        let whole = usize::try_from(least).is_ok_and(|least| least <= share.limit());
        Self { frames: VecDeque::new(), gone: 0, whole, share }
    }

    /// Whether a copy could begin at the beginning.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many frames have been read.
    pub(super) fn end(&self) -> usize {
        self.gone + self.frames.len()
    }

    pub(super) fn at(&self, place: usize) -> Place {
        let Some(index) = place.checked_sub(self.gone) else { return Place::Gone };
        self.frames.get(index).map_or(Place::Unread, |kept| Place::Frame(kept.frame()))
    }

    /// Takes out what is at a place, for the only body that there still is: it needs neither this
    /// frame a second time nor those before it.
    pub(super) fn take(&mut self, place: usize, freed: &mut Freed) -> Place {
        if place < self.gone {
            return Place::Gone;
        }
        while self.gone < place {
            let Some(kept) = self.pop() else { break };
            freed.push_back(kept);
        }
        match self.pop() {
            Some(kept) => Place::Frame(kept.into_frame()),
            None => Place::Unread,
        }
    }

    /// Adds the frame that has just been read, or, when it is too much or its reader is the only
    /// body that there is, gives up all.
    pub(super) fn push(&mut self, frame: &Frame<Bytes>, alone: bool, freed: &mut Freed) {
        if alone || self.keep(frame).is_none() {
            self.forget(freed);
            self.gone += 1;
        }
    }

    /// Gives up all there is, and what is still to come.
    pub(super) fn forget(&mut self, freed: &mut Freed) {
        self.gone = self.end();
        self.whole = false;
        self.share.give_all_back();
        freed.append(&mut mem::take(&mut self.frames));
    }

    fn keep(&mut self, frame: &Frame<Bytes>) -> Option<()> {
        let most = self.share.limit() / size_of::<Kept>();
        if !self.whole || self.frames.len() >= most.saturating_add(SPARE_FRAMES) {
            return None;
        }
        let kept = Kept::of(frame)?;
        self.share.take(kept.bytes()).then(|| self.frames.push_back(kept))
    }

    fn pop(&mut self) -> Option<Kept> {
        let kept = self.frames.pop_front()?;
        self.whole = false;
        self.gone += 1;
        self.share.give_back(kept.bytes());
        Some(kept)
    }
}

impl Kept {
    fn of(frame: &Frame<Bytes>) -> Option<Self> {
        let trailers = || Some(Self::Trailers(Box::new(frame.trailers_ref()?.clone())));
        frame.data_ref().cloned().map(Self::Data).or_else(trailers)
    }

    fn frame(&self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data.clone()),
            Self::Trailers(trailers) => Frame::trailers(HeaderMap::clone(trailers)),
        }
    }

    fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(*trailers),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => {
                trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
            }
        }
    }
}
