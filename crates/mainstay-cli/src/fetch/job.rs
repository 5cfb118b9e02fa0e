//! What is to be fetched: one input, read and checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::{Body, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::ask::Ask;
use super::digest::Digest;
use super::id::{self, Id};
use super::url::{clipped, read, shown};
use crate::clock;

/// An input, or what is wrong with it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) name: Name,
    /// Apart, since it waits in queues before it is sent.
    pub(crate) ask: Result<Box<Ask>, String>,
    /// When it was read.
    pub(crate) since: Instant,
    /// Its host has been down for as long as is waited for one; it is sent once more, to be refused.
    pub(crate) is_given_up: AtomicBool,
}

/// By which an input is known again.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Name {
    /// Its place among the inputs, from 0.
    pub(crate) index: u64,
    pub(crate) id: Option<Id>,
    /// Where to; without a password, and as it was written where it is no URL.
    pub(crate) url: Arc<str>,
    /// Stands for method, URL and body.
    pub(crate) digest: Digest,
}

/// What inputs say unless their line says something else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) method: Option<Method>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A line of JSON. Whatever is wrong with a value is said here, since the parser would repeat the
/// value, which may be a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    url: &'a RawValue,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// What a line with a mistake calls itself.
#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl Job {
    /// A line of the input: a URL, or an object of JSON.
    pub(crate) fn of_line(line: &str, index: u64, defaults: &Defaults) -> Self {
        match line.trim_start().starts_with('{') {
            true => Self::of_json(line, index, defaults),
            false => Self::of_url(line.trim(), index, defaults),
        }
    }

    /// A URL, which is asked as all are that say nothing else.
    pub(crate) fn of_url(url: &str, index: u64, defaults: &Defaults) -> Self {
        Self::new(index, None, url, defaults.ask(url))
    }

    /// Something that is no input.
    pub(crate) fn wrong(index: u64, text: &str, what: String) -> Self {
        Self::new(index, None, text, Err(what))
    }

    fn of_json(text: &str, index: u64, defaults: &Defaults) -> Self {
        let (said, ask) = match serde_json::from_str::<Line<'_>>(text) {
            Ok(line) => (Said { url: Some(line.url), id: line.id }, defaults.ask_more(&line)),
            Err(error) => {
                (serde_json::from_str(text).unwrap_or_default(), Err(in_the_line(&error)))
            }
        };
        let url = said.url.and_then(id::text).unwrap_or_default();
        let (id, wrong) = match said.id.map(|id| Id::try_from(id.to_owned())).transpose() {
            Ok(id) => (id, None),
            Err(what) => (None, Some(what.to_owned())),
        };
        Self::new(index, id, &url, ask.and_then(|ask| wrong.map_or(Ok(ask), Err)))
    }

    fn new(index: u64, id: Option<Id>, url: &str, ask: Result<Request, String>) -> Self {
        let (url, digest) = match &ask {
            Ok(request) => {
                let (method, url) = (request.method().as_str(), request.url().as_str());
                (url.into(), Digest::of(&[method.as_bytes(), url.as_bytes(), body_of(request)]))
            }
            Err(_) => {
                let said = read(url, &mut HeaderMap::new()).map(String::from);
                let digest = Digest::of(&[said.as_deref().unwrap_or(url).as_bytes()]);
                (said.unwrap_or_else(|_| shown(url)).into(), digest)
            }
        };
        Self {
            name: Name { index, id, url, digest },
            ask: ask.map(|request| Box::new(Ask::new(request))),
            since: clock::now(),
            is_given_up: AtomicBool::new(false),
        }
    }
}

impl Defaults {
    fn ask(&self, url: &str) -> Result<Request, String> {
        let mut headers = self.headers.clone();
        let url = read(url, &mut headers)?;
        let unless = || if self.body.is_empty() { Method::GET } else { Method::POST };
        let mut request = Request::new(self.method.clone().unwrap_or_else(unless), url);
        *request.headers_mut() = headers;
        set_body(&mut request, self.body.clone());
        Ok(request)
    }

    fn ask_more(&self, line: &Line<'_>) -> Result<Request, String> {
        let text = |json, what: &str| id::text(json).ok_or_else(|| format!("`{what}` is a text"));
        let mut ask = self.ask(&text(line.url, "url")?)?;
        if let Some(body) = line.body {
            if body.get().starts_with('"') {
                set_body(&mut ask, text(body, "body")?.into_owned().into());
            } else {
                let is_json = HeaderValue::from_static("application/json");
                ask.headers_mut().entry(CONTENT_TYPE).or_insert(is_json);
                set_body(&mut ask, body.get().to_owned().into());
            }
        }
        if self.method.is_none() && ask.body().is_some() {
            *ask.method_mut() = Method::POST;
        }
        if let Some(name) = line.method {
            *ask.method_mut() = method_of(&text(name, "method")?)?;
        }
        let headers = line.headers.map(|json| serde_json::from_str(json.get())).transpose();
        let headers: Option<BTreeMap<String, &RawValue>> =
            headers.map_err(|_| "`headers` is an object of names and values".to_owned())?;
        for (name, value) in headers.unwrap_or_default() {
            set(ask.headers_mut(), &name, value)?;
        }
        Ok(ask)
    }
}

fn set_body(request: &mut Request, body: Bytes) {
    *request.body_mut() = (!body.is_empty()).then(|| body.into());
}

/// The body of an input is there in one piece.
fn body_of(request: &Request) -> &[u8] {
    request.body().and_then(Body::as_bytes).unwrap_or_default()
}

/// A method, in capital letters or not.
pub(crate) fn method_of(name: &str) -> Result<Method, String> {
    let method = name.to_ascii_uppercase().parse::<Method>();
    method.map_err(|_| format!("`{}` is no method", clipped(name)))
}

/// A header as a command line has it: `accept: text/html`.
pub(crate) fn header_of(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err("write the name, a colon and the value: \"accept: text/html\"".to_owned());
    };
    Ok((header_name(name.trim())?, header_value(name, value.trim())?))
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("`{}` is no name of a header", clipped(name)))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, String> {
    // What it is stays unsaid, since it may be a secret.
    value.parse().map_err(|_| format!("the header `{name}` has a value that cannot be sent"))
}

/// One value takes the place of the default, a list all of its values.
fn set(headers: &mut HeaderMap, name: &str, value: &RawValue) -> Result<(), String> {
    let key = header_name(name)?;
    let wrong = || format!("the header `{name}` is a text, a number or a list of them");
    let values = match value.get().starts_with('[') {
        true => serde_json::from_str(value.get()).map_err(|_| wrong())?,
        false => vec![value],
    };
    headers.remove(&key);
    for value in values {
        // They are what an id is.
        let value = Id::try_from(value.to_owned()).map_err(|_| wrong())?;
        headers.append(&key, header_value(name, &value.text())?);
    }
    Ok(())
}

/// What the parser says, without the line that it counts: a line of the input is one line.
fn in_the_line(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let (what, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
    // Of an unknown field it says the name, which may be long.
    let what = clipped(what);
    match error.column() {
        0 => format!("no JSON: {what}"),
        column => format!("no JSON: {what}, at column {column}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(line: &str) -> Job {
        Job::of_line(line, 0, &Defaults::default())
    }

    #[test]
    fn json_is_sent_as_it_stands_in_the_line() {
        for body in [
            r#"{"z":12345678901234567890123,"a":100000000000000000000.01,"one":1.10}"#,
            r#"{ "b": 1, "a": [ 1e400, "\ud800" ], "b": 2 }"#,
            "1.0",
            "false",
        ] {
            let ask = job(&format!(r#"{{"url":"http://a/","body": {body} }}"#)).ask.unwrap();
            assert_eq!(body_of(&ask.request), body.as_bytes());
            assert_eq!(ask.request.headers()[CONTENT_TYPE], "application/json");
        }
        let ask =
            job(r#"{"url":"http://a/","body":"a\n\u0062","headers":{"n":1.10}}"#).ask.unwrap();
        assert_eq!(body_of(&ask.request), b"a\nb");
        assert_eq!(ask.request.headers()["n"], "1.10");
        assert!(job(r#"{"url":"http://a/","body":null}"#).ask.unwrap().request.body().is_none());
    }

    #[test]
    fn an_id_is_written_as_it_stands_and_known_by_what_it_says() {
        let id = |id: &str| job(&format!(r#"{{"url":"http://a/","id": {id} }}"#)).name.id;
        let [one, two] = ["12345678901234567890123", "12345678901234567890124"].map(id);
        assert_ne!(one, two);
        assert_eq!(serde_json::to_string(&one).unwrap(), "12345678901234567890123");
        assert_eq!(serde_json::to_string(&id("-1.10")).unwrap(), "-1.10");
        assert_eq!(id(r#""a""#), id(r#""\u0061""#));
        assert_eq!(serde_json::to_string(&id(r#""\u0061""#)).unwrap(), r#""\u0061""#);
        assert_ne!(id("7"), id(r#""7""#));
        assert_eq!(id("null"), None);
    }

    #[test]
    fn what_is_wrong_with_a_value_is_said_without_it() {
        for (wrong, says) in [
            (r#""headers":"s3cret""#, "`headers` is an object of names and values"),
            (
                r#""headers":{"a":{"b":"s3cret"}}"#,
                "the header `a` is a text, a number or a list of them",
            ),
            (
                r#""headers":{"a":["b",["s3cret"]]}"#,
                "the header `a` is a text, a number or a list of them",
            ),
            (r#""headers":{"a":"s3cret\n"}"#, "the header `a` has a value that cannot be sent"),
            (r#""method":["s3cret"]"#, "`method` is a text"),
            (r#""body":"s3cret\ud800""#, "`body` is a text"),
            (r#""id":["s3cret"]"#, "`id` is a text or a number"),
        ] {
            let job = job(&format!(r#"{{"url":"http://a/",{wrong}}}"#));
            assert_eq!(job.ask.unwrap_err(), says);
            assert_eq!(&*job.name.url, "http://a/");
        }
        assert_eq!(job(r#"{"url":["s3cret"]}"#).ask.unwrap_err(), "`url` is a text");
    }
}
