//! Reads what nobody wants, so that its connection can be used again.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::header::CONNECTION;
use ::http::{Response, Version};
use bytes::Buf;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use crate::clock;

/// The most bytes that are read: beyond, a new connection costs less.
pub const DRAIN_BYTES: u64 = 64 * 1024;

/// The longest time for which [`drain()`] waits for a body.
pub const DRAIN_TIME: Duration = Duration::from_millis(100);

/// The most frames that are read, because an empty one counts no bytes.
const MOST_FRAMES: u32 = 1024;

/// Reads the rest of a response that nobody wants, so that its connection can be used again.
///
/// An HTTP/1.1 connection whose response is dropped unread is closed, unless the rest happens to
/// be there already. Reading costs time and bytes as well, so at most [`DRAIN_BYTES`] and
/// [`DRAIN_TIME`] are spent. Nothing is read where it would not help: of a body that says that it
/// is larger, after `connection: close`, and of other versions of HTTP.
///
/// hyper-util's client takes the connection back in a task of its own. A caller who sends the next
/// request at once may come before it and get a new connection; a wait of a millisecond, less than
/// any backoff, is enough.
///
/// An error of the body ends it. The body is dropped at the end, whatever the end was.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use http_body_util::Full;
/// use mainstay::http::body::drain;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let unavailable = Response::new(Full::new(Bytes::from("<h1>try again later</h1>")));
/// drain(unavailable).await;
/// # }
/// ```
pub fn drain<B: Body>(response: Response<B>) -> Drain<B> {
    let worth_it = keeps_its_connection(&response) && may_fit(response.body());
    let body = worth_it.then(|| response.into_body());
    Drain { body, bytes: DRAIN_BYTES, frames: MOST_FRAMES, timer: None }
}

fn keeps_its_connection<B>(response: &Response<B>) -> bool {
    let says_close =
        |value: &str| value.split(',').any(|it| it.trim().eq_ignore_ascii_case("close"));
    let mut connection = response.headers().get_all(CONNECTION).iter();
    response.version() == Version::HTTP_11
        && !connection.any(|value| value.to_str().is_ok_and(says_close))
}

fn may_fit<B: Body>(body: &B) -> bool {
    !body.is_end_stream() && body.size_hint().lower() <= DRAIN_BYTES
}

pin_project! {
    /// The future of [`drain()`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Drain<B> {
        #[pin]
        body: Option<B>,
        bytes: u64,
        frames: u32,
        // Made only when the body has to be waited for.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<B: Body> Future for Drain<B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        while let Some(body) = this.body.as_mut().as_pin_mut() {
            let Poll::Ready(item) = body.poll_frame(cx) else {
                let timer = this.timer.get_or_insert_with(|| Box::pin(clock::sleep(DRAIN_TIME)));
                ready!(clock::poll(timer.as_mut(), cx));
                break;
            };
            let left = match item {
                Some(Ok(frame)) => left(*this.bytes, *this.frames, frame.data_ref()),
                Some(Err(_)) | None => None,
            };
            let Some(left) = left else { break };
            (*this.bytes, *this.frames) = left;
        }
        this.body.set(None);
        Poll::Ready(())
    }
}

/// What may still be read after this frame; none if it was too much.
fn left(bytes: u64, frames: u32, data: Option<&impl Buf>) -> Option<(u64, u32)> {
    let read = u64::try_from(data.map_or(0, Buf::remaining)).ok()?;
    Some((bytes.checked_sub(read)?, frames.checked_sub(1)?))
}
