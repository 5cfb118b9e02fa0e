//! What there is of a body, and what is asked for next: values in, values out.

use ::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG};
use ::http::{HeaderMap, HeaderValue, StatusCode};

use super::note::Known;
use super::validator::{Part, Validator, number, packing};

/// How far a download is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    patience: u32,
    /// So many bytes were written, from the first.
    pub(super) have: u64,
    pub(super) total: Option<u64>,
    validator: Option<Validator>,
    /// Whether it may be packed, since that was asked for.
    may_be_packed: bool,
    packing: Option<HeaderValue>,
    knows_ranges: bool,
    /// The furthest that it ever was.
    furthest: u64,
    /// So many cuts in a row brought nothing new.
    pub(super) fruitless: u32,
    pub(super) resumes: u32,
    pub(super) restarts: u32,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Asks {
    All,
    From { range: String, if_range: HeaderValue },
}

/// What is to be done with the body of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Does {
    /// It goes on where the last one ended.
    GoesOn,
    /// It is the same from its beginning: so much of it is there.
    Skips(u64),
    /// It is another one, from its beginning.
    BeginsAnew,
    /// It is not what was asked for, and is to be asked for anew.
    AsksAnew,
    /// It is packed so, and was not to be.
    IsPacked(HeaderValue),
    /// It is no body to be downloaded.
    Fails,
}

impl Plan {
    pub(super) const fn new(patience: u32, may_be_packed: bool) -> Self {
        Self {
            patience,
            have: 0,
            total: None,
            validator: None,
            may_be_packed,
            packing: None,
            knows_ranges: true,
            furthest: 0,
            fruitless: 0,
            resumes: 0,
            restarts: 0,
        }
    }

    /// So many bytes are there from before; says after how many it goes on.
    pub(super) fn goes_on_from(&mut self, there: u64, Known { total, tag }: Known) -> u64 {
        let have = match there {
            // Of what is whole the last byte is asked for, and with it whether it is still the same.
            _ if there == total => total.saturating_sub(1),
            _ if there > total => 0,
            _ => there,
        };
        if have > 0 {
            (self.have, self.furthest) = (have, have);
            (self.total, self.validator) = (Some(total), Some(Validator::tag(tag)));
        }
        have
    }

    /// What it is of, where another process can go on with it: only by a tag, since whatever else was
    /// asked for at this URL may have the same date.
    pub(super) fn known(&self) -> Option<Known> {
        let validator = self.validator.as_ref().filter(|it| it.field == ETAG)?;
        Some(Known { total: self.total?, tag: validator.value.clone() })
    }

    /// What is to be asked for; from where it ended only if it can be known again, and if it is known
    /// how long it is.
    pub(super) fn asks(&self) -> Asks {
        match &self.validator {
            Some(validator) if self.have > 0 && self.total.is_some() && self.knows_ranges => {
                let if_range = validator.value.clone();
                Asks::From { range: format!("bytes={}-", self.have), if_range }
            }
            _ => Asks::All,
        }
    }

    /// What an answer to that is.
    pub(super) fn answered(
        &mut self,
        asked: &Asks,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Does {
        match (status, asked) {
            (StatusCode::PARTIAL_CONTENT, Asks::From { .. }) if self.goes_on(headers) => {
                self.resumes += 1;
                Does::GoesOn
            }
            (
                StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE,
                Asks::From { .. },
            ) => {
                self.forgets();
                Does::AsksAnew
            }
            (StatusCode::OK, _) => self.begins(status, headers),
            // A 201 with what was made, a 204 with nothing; of a part that nobody asked for it is not
            // known where it belongs.
            (StatusCode::PARTIAL_CONTENT, Asks::All) => Does::Fails,
            (_, Asks::All) if status.is_success() => self.begins(status, headers),
            (_, Asks::All | Asks::From { .. }) => Does::Fails,
        }
    }

    fn goes_on(&self, headers: &HeaderMap) -> bool {
        let Some(part) = Part::of(headers) else { return false };
        let is_known = self.validator.as_ref().is_some_and(|known| known.fits(headers));
        // The others have no need to say again how they are packed.
        let is_packed_so = packing(headers).is_none_or(|how| Some(how) == self.packing.as_ref());
        is_known
            && is_packed_so
            && part.first == self.have
            && part.total.is_none_or(|total| Some(total) == self.total)
            && self.total.is_some_and(|total| part.last < total)
    }

    fn begins(&mut self, status: StatusCode, headers: &HeaderMap) -> Does {
        let packing = packing(headers);
        if let Some(how) = packing.filter(|_| !self.may_be_packed) {
            return Does::IsPacked(how.clone());
        }
        let total = headers.get(CONTENT_LENGTH).and_then(|it| number(it.to_str().ok()?));
        // What else is answered with has been made just now, or on its way.
        let validator = Validator::of(headers).filter(|_| status == StatusCode::OK);
        let is_same = self.have > 0
            && validator.is_some()
            && validator == self.validator
            && packing == self.packing.as_ref()
            && total == self.total;
        self.knows_ranges = headers.get(ACCEPT_RANGES).is_none_or(|it| it != "none");
        if is_same {
            self.resumes += 1;
            return Does::Skips(self.have);
        }
        if self.have > 0 {
            self.forgets();
        }
        (self.total, self.validator, self.packing) = (total, validator, packing.cloned());
        Does::BeginsAnew
    }

    fn forgets(&mut self) {
        self.restarts += 1;
        (self.have, self.total, self.validator) = (0, None, None);
    }

    /// So many bytes more were written.
    pub(super) fn wrote(&mut self, bytes: u64) {
        self.have = self.have.saturating_add(bytes);
    }

    /// A body came to its end: whether that was all of it.
    pub(super) fn is_whole(&self) -> bool {
        self.total.is_none_or(|total| self.have == total)
    }

    /// It was cut off: how many cuts in a row brought nothing new, or nothing if that is one too
    /// many.
    pub(super) fn cut(&mut self) -> Option<u32> {
        if self.have > self.furthest {
            self.furthest = self.have;
            self.fruitless = 0;
        } else {
            self.fruitless += 1;
        }
        (self.fruitless <= self.patience).then_some(self.fruitless)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::headers;

    const OK: StatusCode = StatusCode::OK;
    const PART: StatusCode = StatusCode::PARTIAL_CONTENT;

    /// A hundred bytes of which forty are there.
    fn forty() -> Plan {
        let mut plan = Plan::new(2, false);
        let asks = plan.asks();
        let answer = headers(&[("content-length", "100"), ("etag", "\"a\"")]);
        assert_eq!(
            (asks.clone(), plan.answered(&asks, OK, &answer)),
            (Asks::All, Does::BeginsAnew)
        );
        plan.wrote(40);
        assert_eq!(plan.cut(), Some(0));
        plan
    }

    fn answers(status: StatusCode, fields: &[(&'static str, &str)]) -> (Does, Plan) {
        let mut plan = forty();
        let asks = plan.asks();
        assert_eq!(
            asks,
            Asks::From {
                range: "bytes=40-".to_owned(),
                if_range: HeaderValue::from_static("\"a\"")
            }
        );
        (plan.answered(&asks, status, &headers(fields)), plan)
    }

    #[test]
    fn a_part_that_fits_goes_on() {
        for range in ["bytes 40-99/100", "bytes 40-59/100", "bytes 40-99/*"] {
            let (does, plan) = answers(PART, &[("content-range", range), ("etag", "\"a\"")]);
            assert_eq!((does, plan.resumes, plan.restarts), (Does::GoesOn, 1, 0), "{range}");
        }
    }

    #[test]
    fn a_part_that_does_not_fit_is_asked_for_anew_from_the_beginning() {
        for (range, tag) in [
            ("bytes 30-99/100", "\"a\""),
            ("bytes 41-99/100", "\"a\""),
            ("bytes 40-99/101", "\"a\""),
            ("bytes 40-200/*", "\"a\""),
            ("bytes 40-99/100", "\"b\""),
            ("bytes 40-99/100", "W/\"a\""),
            ("multipart", "\"a\""),
        ] {
            let (does, plan) = answers(PART, &[("content-range", range), ("etag", tag)]);
            assert_eq!((does, plan.restarts), (Does::AsksAnew, 1), "{range} {tag}");
            assert_eq!((plan.have, plan.asks()), (0, Asks::All));
        }
        let range = ("content-range", "bytes 40-99/100");
        let packed = [range, ("etag", "\"a\""), ("content-encoding", "gzip")];
        for fields in [&[range][..], &packed] {
            assert_eq!(answers(PART, fields).0, Does::AsksAnew, "{fields:?}");
        }
        let (does, _) = answers(StatusCode::RANGE_NOT_SATISFIABLE, &[]);
        assert_eq!(does, Does::AsksAnew);
    }

    #[test]
    fn all_of_the_same_is_skipped_as_far_as_it_is_there_and_of_another_begins_anew() {
        let (does, plan) = answers(OK, &[("content-length", "100"), ("etag", "\"a\"")]);
        assert_eq!((does, plan.have), (Does::Skips(40), 40));
        for fields in [
            &[("content-length", "100"), ("etag", "\"b\"")][..],
            &[("content-length", "99"), ("etag", "\"a\"")],
            &[("content-length", "100")],
            &[],
        ] {
            let (does, plan) = answers(OK, fields);
            assert_eq!((does, plan.have, plan.restarts), (Does::BeginsAnew, 0, 1), "{fields:?}");
        }
    }

    #[test]
    fn what_cannot_be_known_again_is_asked_for_from_the_beginning() {
        for fields in [
            &[("content-length", "100")][..],
            &[("content-length", "100"), ("etag", "W/\"a\"")],
            &[("etag", "\"a\"")],
            &[("content-length", "100"), ("etag", "\"a\""), ("accept-ranges", "none")],
        ] {
            let mut plan = Plan::new(2, false);
            let asks = plan.asks();
            plan.answered(&asks, OK, &headers(fields));
            plan.wrote(40);
            assert_eq!(plan.asks(), Asks::All, "{fields:?}");
        }
    }

    #[test]
    fn a_part_that_nobody_asked_for_and_errors_fail() {
        let mut plan = Plan::new(2, false);
        let asks = plan.asks();
        let part = headers(&[("content-range", "bytes 0-9/10")]);
        assert_eq!(plan.answered(&asks, PART, &part), Does::Fails);
        assert_eq!(plan.answered(&asks, StatusCode::NOT_FOUND, &part), Does::Fails);
        let (does, _) = answers(StatusCode::NO_CONTENT, &[]);
        assert_eq!(does, Does::Fails);
    }

    #[test]
    fn what_is_packed_is_taken_only_where_that_was_asked_for() {
        let packed = headers(&[("content-length", "9"), ("content-encoding", "gzip")]);
        let begins = |may| Plan::new(2, may).answered(&Asks::All, OK, &packed);
        let how = HeaderValue::from_static("gzip");
        assert_eq!((begins(false), begins(true)), (Does::IsPacked(how), Does::BeginsAnew));
    }

    #[test]
    fn what_was_made_just_now_cannot_be_known_again() {
        for (status, is_known) in [(200, true), (201, false), (203, false), (204, false)] {
            let mut plan = Plan::new(2, false);
            let answer = headers(&[("content-length", "100"), ("etag", "\"a\"")]);
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(plan.answered(&Asks::All, status, &answer), Does::BeginsAnew);
            assert_eq!(plan.known().is_some(), is_known, "{status}");
        }
    }

    #[test]
    fn what_is_there_from_before_is_gone_on_with_as_if_it_had_been_cut_off() {
        let before = forty();
        let mut plan = Plan::new(2, false);
        assert_eq!(plan.goes_on_from(40, before.known().unwrap()), 40);
        assert_eq!(plan.asks(), before.asks());
        assert_eq!(plan.known(), before.known());
        assert_eq!(plan.cut(), Some(1), "it has brought nothing new yet");
        assert_eq!(Plan::new(2, false).known(), None);
    }

    #[test]
    fn of_what_is_whole_the_last_byte_is_asked_for_and_of_what_is_too_long_all() {
        let asks = |there| {
            let mut plan = Plan::new(2, false);
            let have = plan.goes_on_from(there, forty().known().unwrap());
            match plan.asks() {
                Asks::All => (have, None),
                Asks::From { range, .. } => (have, Some(range)),
            }
        };
        assert_eq!(asks(100), (99, Some("bytes=99-".to_owned())));
        assert_eq!((asks(101), asks(0)), ((0, None), (0, None)));
    }

    #[test]
    fn by_a_date_no_other_process_goes_on() {
        let mut plan = Plan::new(2, false);
        let (then, now) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2004 08:49:37 GMT");
        let fields = [("content-length", "100"), ("last-modified", then), ("date", now)];
        plan.answered(&Asks::All, OK, &headers(&fields));
        plan.wrote(40);
        assert!(matches!(plan.asks(), Asks::From { .. }) && plan.known().is_none());
    }

    #[test]
    fn only_cuts_that_bring_nothing_new_try_the_patience() {
        let mut plan = forty();
        assert_eq!([plan.cut(), plan.cut(), plan.cut()], [Some(1), Some(2), None]);

        let mut plan = forty();
        assert_eq!(plan.cut(), Some(1));
        plan.wrote(1);
        assert_eq!([plan.cut(), plan.cut()], [Some(0), Some(1)]);

        // To come as far as before is nothing new.
        plan.forgets();
        plan.wrote(41);
        assert_eq!([plan.cut(), plan.cut()], [Some(2), None]);
    }

    #[test]
    fn it_is_whole_when_its_length_is_there_or_where_none_was_said() {
        let mut plan = forty();
        assert!(!plan.is_whole());
        plan.wrote(60);
        assert!(plan.is_whole());
        plan.wrote(1);
        assert!(!plan.is_whole());
        assert!(Plan::new(0, false).is_whole());
    }
}
