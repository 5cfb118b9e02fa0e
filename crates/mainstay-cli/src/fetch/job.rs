//! What is to be fetched: one input, read and checked.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::{Body, Request};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::ask::Ask;
use super::digest::Digest;
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
    /// What its line calls it: a text or a number.
    pub(crate) id: Option<Value>,
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

/// A line of JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    url: String,
    method: Option<String>,
    headers: Option<Map<String, Value>>,
    body: Option<Value>,
    id: Option<Value>,
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
        let line: Line = match serde_json::from_str(text) {
            Ok(line) => line,
            Err(error) => {
                // Whatever is wrong with it, what it calls itself can be told.
                let said: Value = serde_json::from_str(text).unwrap_or_default();
                let url = said["url"].as_str().unwrap_or_default();
                let id = Some(said["id"].clone()).filter(is_id);
                return Self::new(index, id, url, Err(in_the_line(&error)));
            }
        };
        let Line { url, method, headers, body, id } = line;
        let is_wrong = id.as_ref().is_some_and(|id| !is_id(id));
        let ask = match is_wrong {
            true => Err("`id` is a text or a number".to_owned()),
            false => defaults.ask_more(&url, method, &headers.unwrap_or_default(), body),
        };
        Self::new(index, id.filter(is_id), &url, ask)
    }

    fn new(index: u64, id: Option<Value>, url: &str, ask: Result<Request, String>) -> Self {
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

    fn ask_more(
        &self,
        url: &str,
        method: Option<String>,
        headers: &Map<String, Value>,
        body: Option<Value>,
    ) -> Result<Request, String> {
        let mut ask = self.ask(url)?;
        match body {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => set_body(&mut ask, text.into()),
            Some(json) => {
                let is_json = HeaderValue::from_static("application/json");
                ask.headers_mut().entry(CONTENT_TYPE).or_insert(is_json);
                set_body(&mut ask, json.to_string().into());
            }
        }
        if self.method.is_none() && ask.body().is_some() {
            *ask.method_mut() = Method::POST;
        }
        if let Some(name) = method {
            *ask.method_mut() = method_of(&name)?;
        }
        for (name, value) in headers {
            set(ask.headers_mut(), name, value)?;
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

const fn is_id(id: &Value) -> bool {
    matches!(id, Value::String(_) | Value::Number(_))
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
fn set(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), String> {
    let key = header_name(name)?;
    let values = match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    headers.remove(&key);
    for value in values {
        let value = match value {
            Value::String(text) => header_value(name, text)?,
            Value::Number(number) => header_value(name, &number.to_string())?,
            _ => return Err(format!("the header `{name}` is a text, a number or a list of them")),
        };
        headers.append(&key, value);
    }
    Ok(())
}

/// What the parser says, without the line that it counts: a line of the input is one line.
fn in_the_line(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let (what, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
    // A text that stands in the wrong place may be a secret.
    let what = match (what.find("string \""), what.rfind('"')) {
        (Some(from), Some(to)) => format!("{}…{}", &what[..from + "string \"".len()], &what[to..]),
        _ => clipped(what),
    };
    match error.column() {
        0 => format!("no JSON: {what}"),
        column => format!("no JSON: {what}, at column {column}"),
    }
}
