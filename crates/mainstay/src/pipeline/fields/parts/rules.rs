//! Which requests may be sent again, and after which ends.

use ::http::Method;

use crate::http::rules::Twice;
use crate::http::{RetryRules, When};
use crate::pipeline::fields::checks::Checking;
use crate::pipeline::fields::leaf::Leaf;
use crate::pipeline::fields::list::Listing;
use crate::pipeline::fields::map::Rows;
use crate::pipeline::fields::part::{Part, Setting, Visitor, parts};
use crate::pipeline::fields::read::Reading;
use crate::pipeline::fields::shape::Shape;
use crate::pipeline::fields::tree::Node;
use crate::pipeline::fields::value::Value;
use crate::pipeline::fields::words::Word;

parts!(RetryRules);

impl Part for RetryRules {
    fn kinds() -> Vec<Self> {
        vec![Self::standard()]
    }

    fn fields(&mut self, v: &mut dyn Visitor) {
        let docs = [
            "The methods that are idempotent here, beside those of RFC 9110.",
            "The methods that are not idempotent here, whatever RFC 9110 says.",
            "The methods that are sent once, whatever happens.",
        ];
        for ((name, twice), doc) in LISTS.into_iter().zip(docs) {
            v.see(name, doc, &mut Methods { rows: &mut self.methods, twice });
        }
        v.see(
            "twice_at_once",
            "The methods that may be on their way twice at the same time, as a hedge sends them.",
            &mut self.at_once,
        );
        v.see(
            "status",
            "Whether to send again after an answer with this status.",
            &mut Rows(&mut self.statuses),
        );
        v.see(
            "grpc_code",
            "Whether to send again after this status of gRPC's.",
            &mut Rows(&mut self.codes),
        );
        let mut when = self.maybe_processed.unwrap_or(When::IfIdempotent);
        let before = when;
        v.see(
            "maybe_processed",
            "Whether to send again where the server may have done what was asked.",
            &mut when,
        );
        if when != before {
            self.maybe_processed = Some(when);
        }
        let mut redirects = match self.redirects {
            None => Redirects::Unknown,
            Some(true) => Redirects::Followed,
            Some(false) => Redirects::None,
        };
        v.see(
            "redirects",
            "Whether the client beneath follows redirects; unknown: as far as it can be told.",
            &mut redirects,
        );
        self.redirects = match redirects {
            Redirects::Unknown => None,
            Redirects::Followed => Some(true),
            Redirects::None => Some(false),
        };
        v.see(
            "limits_by_403",
            "Whether a 403 that says when to come back is a limit, as GitHub's is.",
            &mut self.limits_by_403,
        );
        v.see("obey", "What a server says on that in so many words is done.", &mut self.words);
    }
}

const LISTS: [(&str, Twice); 3] =
    [("idempotent", Twice::Nothing), ("not_idempotent", Twice::Harm), ("never", Twice::Forbidden)];

#[derive(Clone, Copy, PartialEq)]
enum Redirects {
    Unknown,
    Followed,
    None,
}

impl Word for Redirects {
    const WORDS: &'static [(&'static str, Self)] =
        &[("unknown", Self::Unknown), ("followed", Self::Followed), ("none", Self::None)];
}

/// The methods of which one thing is said.
struct Methods<'a> {
    rows: &'a mut Vec<(Method, Twice)>,
    twice: Twice,
}

impl Setting for Methods<'_> {
    fn shape(&self) -> Shape {
        Vec::<Method>::new().shape()
    }

    fn list(&mut self, doc: &'static str, into: &mut Listing) {
        let rows = self.rows.iter().filter(|(_, twice)| *twice == self.twice);
        into.value(doc, Value::List(rows.map(|(method, _)| method.value()).collect()));
    }

    /// Takes the place of the list that was there; of a method that was in another, this is what is
    /// said of it now.
    fn read(&mut self, node: &Node, into: &mut Reading) {
        let mut methods: Vec<Method> = Vec::new();
        methods.read(node, into);
        self.rows.retain(|(_, twice)| *twice != self.twice);
        for method in methods {
            let row = self.rows.iter().position(|(known, _)| *known == method);
            if let Some((_, other)) = row.map(|row| self.rows.remove(row)) {
                self.contradicts(&method, other, node, into);
            }
            self.rows.push((method, self.twice));
        }
    }

    fn check(&mut self, _: &mut Checking) {}
}

impl Methods<'_> {
    fn contradicts(&self, method: &Method, other: Twice, node: &Node, into: &mut Reading) {
        let list = LISTS.iter().find(|(_, twice)| *twice == other && other != self.twice);
        let Some((name, _)) = list else { return };
        let mut sibling = into.path().clone();
        sibling.pop();
        sibling.push(name);
        if into.places.iter().any(|(place, _)| *place == sibling) {
            let what = format!("`{method}` stands in `{name}` as well");
            into.fault(&node.at, what, Some("leave it in one of the two".to_owned()));
        }
    }
}
