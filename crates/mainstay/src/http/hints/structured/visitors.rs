//! What the parser of structured fields calls for each part.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, Never,
    ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser, StringRef};

use super::{MOST_MEMBERS, Unit};

/// The field breaks a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed field")
    }
}

impl Error for Malformed {}

/// A parameter as it was given last: only the last of one name counts, be it right or wrong.
type Given<T> = Option<Result<T, Malformed>>;

/// A member of a list, with the parameters that mean something in either field. What is wrong with
/// one of them is no matter in the other field, where it is a comment.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, StringRef>,
    pub(super) r: Given<u64>,
    pub(super) t: Given<u64>,
    pub(super) q: Given<u64>,
    pub(super) w: Given<u64>,
    pub(super) qu: Given<Unit>,
    pub(super) pk: Given<Vec<u8>>,
}

impl<'a> Member<'a> {
    /// Reads a list of strings with parameters.
    pub(super) fn list(field: &'a [u8]) -> Result<Vec<Self>, Malformed> {
        let list = Parser::new(field).parse_list_with_visitor(List(Vec::new()));
        list.map_err(|_| Malformed)
    }

    const fn named(name: Cow<'a, StringRef>) -> Self {
        Self { name, r: None, t: None, q: None, w: None, qu: None, pk: None }
    }
}

struct List<'a>(Vec<Member<'a>>);

impl<'a> ListVisitor<'a> for List<'a> {
    type Out = Vec<Member<'a>>;
    type Error = Malformed;

    fn entry(&mut self) -> Result<impl EntryVisitor<'a>, Malformed> {
        if self.0.len() < MOST_MEMBERS { Ok(Entry(&mut self.0)) } else { Err(Malformed) }
    }

    fn finish(self) -> Result<Self::Out, Malformed> {
        Ok(self.0)
    }
}

struct Entry<'v, 'a>(&'v mut Vec<Member<'a>>);

impl<'a> EntryVisitor<'a> for Entry<'_, 'a> {
    type Error = Malformed;

    fn item(self) -> Result<impl ItemVisitor<'a>, Malformed> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Malformed> {
        Err::<Never, _>(Malformed)
    }
}

impl<'a> ItemVisitor<'a> for Entry<'_, 'a> {
    type Out = ();
    type Error = Malformed;

    fn bare_item(
        self,
        item: BareItemFromInput<'a>,
    ) -> Result<impl ParameterVisitor<'a, Out = ()>, Malformed> {
        let BareItemFromInput::String(name) = item else { return Err(Malformed) };
        Ok(Parameters { list: self.0, member: Member::named(name) })
    }
}

struct Parameters<'v, 'a> {
    list: &'v mut Vec<Member<'a>>,
    member: Member<'a>,
}

impl<'a> ParameterVisitor<'a> for Parameters<'_, 'a> {
    type Out = ();
    type Error = Malformed;

    fn parameter(&mut self, key: &'a KeyRef, item: BareItemFromInput<'a>) -> Result<(), Malformed> {
        match key.as_str() {
            "r" => self.member.r = Some(count(&item)),
            "t" => self.member.t = Some(count(&item)),
            "q" => self.member.q = Some(count(&item)),
            "w" => self.member.w = Some(count(&item)),
            "qu" => self.member.qu = Some(unit(&item)),
            "pk" => self.member.pk = Some(bytes(&item)),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Malformed> {
        self.list.push(self.member);
        Ok(())
    }
}

fn count(item: &BareItemFromInput<'_>) -> Result<u64, Malformed> {
    let BareItemFromInput::Integer(count) = item else { return Err(Malformed) };
    u64::try_from(i64::from(*count)).map_err(|_| Malformed)
}

fn unit(item: &BareItemFromInput<'_>) -> Result<Unit, Malformed> {
    let BareItemFromInput::String(name) = item else { return Err(Malformed) };
    Ok(match name.as_str() {
        // The draft says the one, its registry the other.
        "requests" | "request" => Unit::Requests,
        "content-bytes" => Unit::Bytes,
        "concurrent-requests" => Unit::InFlight,
        _ => Unit::Other,
    })
}

fn bytes(item: &BareItemFromInput<'_>) -> Result<Vec<u8>, Malformed> {
    let BareItemFromInput::ByteSequence(bytes) = item else { return Err(Malformed) };
    Ok(bytes.clone())
}

/// `limit=100, remaining=50, reset=5`
#[derive(Debug)]
pub(super) struct Version07 {
    pub(super) limit: Option<u64>,
    pub(super) remaining: u64,
    pub(super) reset: Option<u64>,
}

impl Version07 {
    pub(super) fn parse(field: &[u8]) -> Option<Self> {
        Parser::new(field).parse_dictionary_with_visitor(Dictionary::default()).ok()
    }
}

#[derive(Default)]
struct Dictionary {
    entries: usize,
    limit: Given<u64>,
    remaining: Given<u64>,
    reset: Given<u64>,
}

impl<'a> DictionaryVisitor<'a> for Dictionary {
    type Out = Version07;
    type Error = Malformed;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Malformed> {
        self.entries += 1;
        if self.entries > MOST_MEMBERS {
            return Err(Malformed);
        }
        Ok(match key.as_str() {
            "limit" => Some(Count(&mut self.limit)),
            "remaining" => Some(Count(&mut self.remaining)),
            "reset" => Some(Count(&mut self.reset)),
            _ => None,
        })
    }

    fn finish(self) -> Result<Version07, Malformed> {
        Ok(Version07 {
            limit: self.limit.transpose()?,
            remaining: self.remaining.ok_or(Malformed)??,
            reset: self.reset.transpose()?,
        })
    }
}

struct Count<'v>(&'v mut Given<u64>);

impl<'a> EntryVisitor<'a> for Count<'_> {
    type Error = Malformed;

    fn item(self) -> Result<impl ItemVisitor<'a>, Malformed> {
        Ok(move |item: BareItemFromInput<'a>| {
            *self.0 = Some(count(&item));
            Ok::<_, Malformed>(Ignored)
        })
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Malformed> {
        *self.0 = Some(Err(Malformed));
        Ok(Ignored)
    }
}
