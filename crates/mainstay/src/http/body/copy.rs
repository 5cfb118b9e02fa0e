//! Which bodies can be copied, by their type.

use std::any::Any;

use ::http::Request;
use bytes::Bytes;
use http_body_util::{Empty, Full};

use super::replay::ReplayBody;

/// When a copy of a body could be sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Copies {
    /// Never: its type is not known to be cheap to copy, or it is too large.
    Never,
    /// Once the attempt before it is over: the copy takes what is left of the stream from it.
    Afterwards,
    /// At any time, also while another attempt runs, as a hedge does.
    Alongside,
}

/// When a copy of a body could be sent; any type may be asked about.
///
/// The answer holds for now. Who keeps a copy for a later attempt asks of it again before that
/// attempt: while the one before read, the body may have grown too large or failed, and the kept
/// copy would only end with an error. It may also have become [`Copies::Alongside`].
///
/// ```
/// use http_body_util::Empty;
/// use mainstay::http::body::{Copies, copies};
///
/// assert_eq!(copies(&Empty::<bytes::Bytes>::new()), Copies::Alongside);
/// assert_eq!(copies(&std::net::Ipv4Addr::LOCALHOST), Copies::Never);
/// ```
#[inline]
pub fn copies<B: 'static>(body: &B) -> Copies {
    known(body).map_or(Copies::Never, Known::copies)
}

/// A copy of a body that has not been sent yet, if its type is known to be cheap to copy.
///
/// Known are `()`, [`Bytes`], `&'static str`, `&'static [u8]`, [`Empty`] and [`Full`] of bytes,
/// [`ReplayBody`], and, copied byte by byte, `String`, `Vec<u8>` and, with the feature `reqwest`,
/// those bodies of `reqwest` that are in memory.
///
/// A copy of a stream may become useless while it is kept: ask [`copies()`] of it before it is
/// sent.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::{BodyExt, Full};
/// use mainstay::http::body::copy;
///
/// assert!(copy(&Full::new(Bytes::from("again"))).is_some());
/// assert!(copy(&Full::new(Bytes::from("again")).boxed()).is_none());
/// ```
#[inline]
pub fn copy<B: 'static>(body: &B) -> Option<B> {
    let mut slot: Option<B> = None;
    known(body)?.copy_to(&mut slot);
    slot
}

/// A copy of a request that has not been sent yet, if its body can be copied.
#[inline(always)]
pub(in crate::http) fn copy_of<B: 'static>(request: &Request<B>) -> Option<Request<B>> {
    let mut slot = None;
    if !clone_in_memory(request, &mut slot) {
        slot = copy(request.body()).map(|body| {
            let mut copy = Request::new(body);
            *copy.method_mut() = request.method().clone();
            *copy.uri_mut() = request.uri().clone();
            *copy.version_mut() = request.version();
            *copy.headers_mut() = request.headers().clone();
            *copy.extensions_mut() = request.extensions().clone();
            copy
        });
    }
    slot
}

/// A body whose type is known.
trait Known {
    fn copies(&self) -> Copies;

    /// Writes a copy to a slot, an `Option<Self>`.
    fn copy_to(&self, slot: &mut dyn Any);
}

// Always, and so all that it calls: put in place for one type, nothing is left of the search.
#[inline(always)]
fn known<B: 'static>(body: &B) -> Option<&dyn Known> {
    in_memory(body).or_else(|| Some(of_type::<_, ReplayBody>(body)?)).or_else(|| foreign(body))
}

#[inline(always)]
fn of_type<B: 'static, T: 'static>(body: &B) -> Option<&T> {
    (body as &dyn Any).downcast_ref()
}

macro_rules! in_memory {
    ($($body:ty),* $(,)?) => {
        #[inline(always)]
        fn in_memory<B: 'static>(body: &B) -> Option<&dyn Known> {
            $(if let Some(body) = of_type::<B, $body>(body) {
                return Some(body);
            })*
            None
        }

        /// Clones a request as a whole, which is cheaper than part by part, to a slot; says whether
        /// its body is one of these.
        #[inline(always)]
        fn clone_in_memory<B: 'static>(request: &Request<B>, slot: &mut Option<Request<B>>) -> bool {
            $(if let Some(request) = (request as &dyn Any).downcast_ref::<Request<$body>>() {
                fill(slot, Some(request.clone()));
                return true;
            })*
            false
        }

        $(impl Known for $body {
            fn copies(&self) -> Copies {
                Copies::Alongside
            }

            fn copy_to(&self, slot: &mut dyn Any) {
                fill(slot, Some(self.clone()));
            }
        })*
    };
}

in_memory! {
    Full<Bytes>,
    Empty<Bytes>,
    Bytes,
    (),
    String,
    Vec<u8>,
    &'static str,
    &'static [u8],
    Full<&'static [u8]>,
    Empty<&'static [u8]>,
}

impl Known for ReplayBody {
    fn copies(&self) -> Copies {
        self.copies()
    }

    fn copy_to(&self, slot: &mut dyn Any) {
        fill(slot, self.copy());
    }
}

#[cfg(feature = "reqwest")]
impl Known for reqwest::Body {
    fn copies(&self) -> Copies {
        self.as_bytes().map_or(Copies::Never, |_| Copies::Alongside)
    }

    fn copy_to(&self, slot: &mut dyn Any) {
        fill(slot, self.as_bytes().map(|bytes| Self::from(Bytes::copy_from_slice(bytes))));
    }
}

#[cfg(feature = "reqwest")]
#[inline(always)]
fn foreign<B: 'static>(body: &B) -> Option<&dyn Known> {
    Some(of_type::<_, reqwest::Body>(body)?)
}

#[cfg(not(feature = "reqwest"))]
#[inline(always)]
fn foreign<B: 'static>(_: &B) -> Option<&dyn Known> {
    None
}

#[inline]
fn fill<T: 'static>(slot: &mut dyn Any, copy: Option<T>) {
    if let Some(slot) = slot.downcast_mut::<Option<T>>() {
        *slot = copy;
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    #[test]
    fn bodies_in_memory_are_copied_and_may_be_sent_alongside() {
        fn is_copied<B: PartialEq + std::fmt::Debug + 'static>(body: B) {
            assert_eq!(copies(&body), Copies::Alongside, "{body:?}");
            assert_eq!(copy(&body).as_ref(), Some(&body));
        }
        is_copied(());
        is_copied(Bytes::from("bytes"));
        is_copied(String::from("string"));
        is_copied(vec![1_u8, 2]);
        is_copied("str");
        is_copied::<&'static [u8]>(b"slice");
        assert!(copy(&Empty::<Bytes>::new()).is_some());
        assert!(copy(&Empty::<&'static [u8]>::new()).is_some());
        assert_eq!(copies(&Full::<&'static [u8]>::new(b"full")), Copies::Alongside);
    }

    #[tokio::test]
    async fn a_copy_has_the_bytes_of_its_original() {
        let copied = copy(&Full::new(Bytes::from("again"))).unwrap();
        assert_eq!(copied.collect().await.unwrap().to_bytes(), "again");
    }

    #[test]
    fn a_copy_of_a_request_has_all_of_its_original() {
        fn has_all<B: 'static>(body: B) -> B {
            let request = Request::put("https://api.example.com/users/1?page=7")
                .version(::http::Version::HTTP_2)
                .header("accept", "one")
                .header("accept", "two")
                .extension(7_u8)
                .body(body)
                .unwrap();
            let copy = copy_of(&request).unwrap();
            assert_eq!((copy.method(), copy.uri()), (request.method(), request.uri()));
            assert_eq!((copy.version(), copy.headers()), (request.version(), request.headers()));
            assert_eq!(copy.extensions().get(), Some(&7_u8));
            copy.into_body()
        }
        assert_eq!(has_all(Bytes::from("as a whole")), "as a whole");
        has_all(ReplayBody::new(Full::new(Bytes::from("part by part"))));
    }

    #[test]
    fn unknown_bodies_are_not_copied() {
        let unknown = Full::new(Bytes::from("boxed")).boxed();
        assert_eq!(copies(&unknown), Copies::Never);
        assert!(copy(&unknown).is_none());
        assert!(copy(&StreamBody::new(Bytes::new())).is_none());
    }

    #[test]
    fn a_replay_body_is_copied_by_its_state() {
        let stream = || Full::new(Bytes::from("stream")).boxed();
        let body = ReplayBody::new(stream());
        assert_eq!(copies(&body), Copies::Afterwards);
        assert!(copy(&body).is_some());
        let empty = ReplayBody::new(Empty::<Bytes>::new());
        assert_eq!(copies(&empty), Copies::Alongside);
        let large = ReplayBody::with_limit(stream(), 5);
        assert_eq!(copies(&large), Copies::Never);
        assert!(copy(&large).is_none());
    }

    #[cfg(feature = "reqwest")]
    #[tokio::test]
    async fn a_body_of_reqwest_is_copied_if_it_is_in_memory() {
        let body = reqwest::Body::from("in memory");
        assert_eq!(copies(&body), Copies::Alongside);
        let copied = copy(&body).unwrap();
        assert_eq!(copied.collect().await.unwrap().to_bytes(), "in memory");

        let stream = reqwest::Body::wrap(ReplayBody::new(Full::new(Bytes::from("stream"))));
        assert_eq!(copies(&stream), Copies::Never);
        assert!(copy(&stream).is_none());
    }
}
