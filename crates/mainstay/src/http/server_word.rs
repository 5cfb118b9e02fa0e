//! Header fields by which a server says in so many words whether to ask again.

use ::http::{HeaderMap, HeaderName};

use super::grpc::Pushback;
use super::when::When;

/// A server's own word on whether to ask again, obeyed where
/// [`RetryRules::obey`](super::RetryRules::obey) says so.
///
/// None is obeyed unless it is named: a field like these may come from a server that is not meant,
/// and `true` from the wrong one repeats what must not be repeated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ServerWord {
    /// `x-should-retry: true` or `false` (OpenAI, Anthropic).
    XShouldRetry,
    /// `stripe-should-retry: true` or `false`.
    StripeShouldRetry,
    /// `grpc-retry-pushback-ms`: a negative number, or none at all, is a no; another says how long
    /// to wait, and leaves the rest to the table.
    GrpcPushback,
    /// `x-envoy-ratelimited`: the limit is Envoy's own, and asking again only meets it again.
    EnvoyRateLimited,
}

impl ServerWord {
    /// What the server says; `None` if it says nothing, or nothing that can be understood.
    #[must_use]
    pub fn read(self, headers: &HeaderMap) -> Option<When> {
        const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
        const STRIPE: HeaderName = HeaderName::from_static("stripe-should-retry");
        const ENVOY: HeaderName = HeaderName::from_static("x-envoy-ratelimited");

        match self {
            Self::XShouldRetry => yes_or_no(headers, &X_SHOULD_RETRY),
            Self::StripeShouldRetry => yes_or_no(headers, &STRIPE),
            Self::GrpcPushback => {
                (Pushback::read(headers)? == Pushback::DoNotRetry).then_some(When::Never)
            }
            Self::EnvoyRateLimited => headers.contains_key(ENVOY).then_some(When::Never),
        }
    }
}

fn yes_or_no(headers: &HeaderMap, name: &HeaderName) -> Option<When> {
    let words =
        headers.get_all(name).iter().filter_map(|value| match value.as_bytes().trim_ascii() {
            yes if yes.eq_ignore_ascii_case(b"true") => Some(When::Always),
            no if no.eq_ignore_ascii_case(b"false") => Some(When::Never),
            _ => None,
        });
    words.reduce(When::stricter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::headers;

    #[test]
    fn each_word_is_read_in_its_own_field() {
        use ServerWord::{EnvoyRateLimited, GrpcPushback, StripeShouldRetry, XShouldRetry};
        for (word, field, value, said) in [
            (XShouldRetry, "x-should-retry", "true", Some(When::Always)),
            (XShouldRetry, "x-should-retry", "false", Some(When::Never)),
            (XShouldRetry, "x-should-retry", " True ", Some(When::Always)),
            (XShouldRetry, "x-should-retry", "1", None),
            (XShouldRetry, "x-should-retry", "", None),
            (XShouldRetry, "stripe-should-retry", "true", None),
            (StripeShouldRetry, "stripe-should-retry", "true", Some(When::Always)),
            (StripeShouldRetry, "stripe-should-retry", "false", Some(When::Never)),
            (StripeShouldRetry, "x-should-retry", "true", None),
            (GrpcPushback, "grpc-retry-pushback-ms", "-1", Some(When::Never)),
            (GrpcPushback, "grpc-retry-pushback-ms", "soon", Some(When::Never)),
            (GrpcPushback, "grpc-retry-pushback-ms", "250", None),
            (GrpcPushback, "retry-after-ms", "-1", None),
            (EnvoyRateLimited, "x-envoy-ratelimited", "true", Some(When::Never)),
            (EnvoyRateLimited, "x-envoy-ratelimited", "", Some(When::Never)),
            (EnvoyRateLimited, "x-envoy-overloaded", "true", None),
        ] {
            assert_eq!(word.read(&headers(&[(field, value)])), said, "{field}: {value}");
        }
    }

    #[test]
    fn one_no_among_several_words_counts() {
        for words in [["true", "false"], ["false", "true"], ["false", "maybe"]] {
            let headers = headers(&[("x-should-retry", words[0]), ("x-should-retry", words[1])]);
            assert_eq!(ServerWord::XShouldRetry.read(&headers), Some(When::Never), "{words:?}");
        }
    }
}
