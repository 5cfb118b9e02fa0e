//! What can stand in a file, for editors.

use std::fmt::Write as _;

use crate::pipeline::PipelineSpec;
use crate::pipeline::fields::{Setting, Shape, SubShape, quote};

/// The JSON Schema of a file of pipelines, by draft 2020-12: for editors, which then complete names
/// and mark what there is not, in JSON and in TOML.
///
/// It is `docs/pipeline.schema.json` of this version.
#[must_use]
pub fn schema() -> String {
    let Shape::Part(_, mut settings) = PipelineSpec::named("").shape() else {
        return String::new();
    };
    let own = |name, doc, shape| SubShape { name, doc, shape, is_alias: false };
    settings.insert(0, own("for_hosts", FOR_HOSTS, Shape::List(Box::new(Shape::Text("a host")))));
    settings.insert(0, own("extends", EXTENDS, Shape::Text("a name")));
    let pipeline = Shape::Part(None, settings);
    let mut shared = Vec::new();
    share("pipeline", &pipeline, &mut Vec::new(), &mut shared);
    let writer = Writer { shared: &shared };

    let mut definitions = vec![
        ("duration".to_owned(), text(Some("^([0-9]+(\\.[0-9]+)?(d|h|min|m|s|ms|us|µs|ns))+$"))),
        ("rate".to_owned(), text(Some("^ *[0-9]+ */ *([a-z]+|[0-9][0-9a-zµ.]*) *$"))),
    ];
    let parts = shared.iter().map(|(name, shape)| (name.clone(), writer.spelled_out(shape)));
    definitions.extend(parts);
    let pipelines = object(vec![
        ("description", string("The pipelines, by their names.")),
        ("type", string("object")),
        ("additionalProperties", writer.shape(&pipeline)),
    ]);
    let root = object(vec![
        ("$schema", string("https://json-schema.org/draft/2020-12/schema")),
        ("title", string("Pipelines of mainstay")),
        ("type", string("object")),
        ("required", Json::List(vec![string("pipelines")])),
        ("additionalProperties", Json::Bare("false".to_owned())),
        ("properties", object(vec![("$schema", text(None)), ("pipelines", pipelines)])),
        ("$defs", Json::Object(definitions)),
    ]);
    let mut out = String::new();
    root.write(0, &mut out);
    out + "\n"
}

const EXTENDS: &str = "A preset (standard, third_party_api, internal_service, bulk_crawl, latency_critical_read) or \
     another pipeline of the file, whose settings this one begins with.";
const FOR_HOSTS: &str = "The hosts that it is for, where a pipeline is looked up by host; `*` \
                         stands for anything.";

/// Collects the parts that are there more than once, under the first name that they have.
fn share(
    name: &str,
    shape: &Shape,
    seen: &mut Vec<(String, Shape)>,
    shared: &mut Vec<(String, Shape)>,
) {
    match shape {
        Shape::Part(_, fields) => {
            if let Some((first, _)) = seen.iter().find(|(_, known)| known == shape) {
                if !shared.iter().any(|(_, known)| known == shape) {
                    shared.push((first.clone(), shape.clone()));
                }
                return;
            }
            seen.push((name.to_owned(), shape.clone()));
            fields.iter().for_each(|field| share(field.name, &field.shape, seen, shared));
        }
        Shape::Optional(inner, _) | Shape::Map(_, inner) | Shape::List(inner) => {
            share(name, inner, seen, shared);
        }
        Shape::Either(shapes) => shapes.iter().for_each(|shape| share(name, shape, seen, shared)),
        Shape::Flag | Shape::Count | Shape::Number | Shape::Duration | Shape::Rate => {}
        Shape::Text(_) | Shape::Status | Shape::Words(_) => {}
    }
}

struct Writer<'a> {
    shared: &'a [(String, Shape)],
}

impl Writer<'_> {
    fn shape(&self, shape: &Shape) -> Json {
        match self.shared.iter().find(|(_, known)| known == shape) {
            Some((name, _)) => reference(name),
            None => self.spelled_out(shape),
        }
    }

    fn spelled_out(&self, shape: &Shape) -> Json {
        match shape {
            Shape::Flag => object(vec![("type", string("boolean"))]),
            Shape::Number => object(vec![("type", string("number"))]),
            Shape::Count => range(0, u32::MAX),
            Shape::Status => range(200, 599),
            Shape::Duration => reference("duration"),
            Shape::Rate => reference("rate"),
            Shape::Text(_) => text(None),
            Shape::Words(words) => {
                let words = words.iter().map(|word| string(word)).collect();
                object(vec![("enum", Json::List(words))])
            }
            Shape::List(of) => object(vec![("type", string("array")), ("items", self.shape(of))]),
            Shape::Map(_, of) => {
                object(vec![("type", string("object")), ("additionalProperties", self.shape(of))])
            }
            Shape::Part(_, fields) => {
                let table = self.table(fields);
                match shape.short() {
                    Some(short) => any(vec![table, self.shape(short)]),
                    None => table,
                }
            }
            Shape::Optional(inner, bare) => {
                let off = match bare {
                    true => object(vec![("type", string("boolean"))]),
                    false => object(vec![("const", Json::Bare("false".to_owned()))]),
                };
                any(vec![self.shape(inner), off])
            }
            Shape::Either(shapes) => any(shapes.iter().map(|shape| self.shape(shape)).collect()),
        }
    }

    fn table(&self, fields: &[SubShape]) -> Json {
        let properties = fields.iter().map(|field| {
            let mut members = vec![("description".to_owned(), string(field.doc))];
            match self.shape(&field.shape) {
                Json::Object(inner) => members.extend(inner),
                other => members.push(("const".to_owned(), other)),
            }
            (field.name.to_owned(), Json::Object(members))
        });
        object(vec![
            ("type", string("object")),
            ("additionalProperties", Json::Bare("false".to_owned())),
            ("properties", Json::Object(properties.collect())),
        ])
    }
}

fn reference(name: &str) -> Json {
    object(vec![("$ref", string(&format!("#/$defs/{name}")))])
}

fn text(pattern: Option<&str>) -> Json {
    let mut members = vec![("type", string("string"))];
    members.extend(pattern.map(|pattern| ("pattern", string(pattern))));
    object(members)
}

fn range(least: u32, most: u32) -> Json {
    object(vec![
        ("type", string("integer")),
        ("minimum", Json::Bare(least.to_string())),
        ("maximum", Json::Bare(most.to_string())),
    ])
}

/// Any of these, where those that are such a choice themselves are taken apart.
fn any(shapes: Vec<Json>) -> Json {
    let apart = shapes.into_iter().flat_map(|shape| match shape {
        Json::Object(mut members) if members.len() == 1 && members[0].0 == "anyOf" => {
            match members.remove(0).1 {
                Json::List(shapes) => shapes,
                other => vec![other],
            }
        }
        other => vec![other],
    });
    object(vec![("anyOf", Json::List(apart.collect()))])
}

enum Json {
    /// A number or a word, as it is.
    Bare(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn string(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn object(members: Vec<(&str, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl Json {
    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Self::Bare(text) => out.push_str(text),
            Self::Text(text) => out.push_str(&quote(text)),
            Self::List(values) => {
                let each = |value: &Self, out: &mut String| value.write(depth + 1, out);
                lines('[', ']', values, depth, out, each);
            }
            Self::Object(members) => {
                lines('{', '}', members, depth, out, |(key, value), out| {
                    let _ = write!(out, "{}: ", quote(key));
                    value.write(depth + 1, out);
                });
            }
        }
    }
}

fn lines<T>(
    begin: char,
    end: char,
    items: &[T],
    depth: usize,
    out: &mut String,
    each: impl Fn(&T, &mut String),
) {
    out.push(begin);
    for (i, item) in items.iter().enumerate() {
        out.push_str(if i > 0 { ",\n" } else { "\n" });
        out.push_str(&"  ".repeat(depth + 1));
        each(item, out);
    }
    let _ = write!(out, "\n{}{end}", "  ".repeat(depth));
}
