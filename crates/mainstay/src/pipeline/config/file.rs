//! From a file to its pipelines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path as FilePath;

use super::chain::{self, Raw};
use super::check;
use super::error::{ConfigError, Problem};
use super::report::Source;
use super::{Config, Configured, json, toml};
use crate::pipeline::fields::{
    Fault, Member, Node, Path, Setting, Shape, SubShape, Tree, nearest, quote,
};
use crate::pipeline::{HostPattern, PipelineSpec, Severity};

/// Reads text as a tree: the tree and what is wrong with it, or what is so wrong that there is none.
pub(super) type ToTree = fn(&str) -> Result<(Node, Vec<Fault>), Vec<Fault>>;

/// The most problems that are told of.
const MOST: usize = 100;

/// Reads a file as text.
pub(super) fn load(path: &FilePath) -> Result<String, ConfigError> {
    let fails = |message: String, help: Option<&str>| unreadable(path, message, help);
    let mut bytes = Vec::new();
    let most = Config::LARGEST as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map_err(|error| fails(format!("the file cannot be read: {error}"), None))?;
    if bytes.len() > Config::LARGEST {
        return Err(fails(too_large(), None));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        fails(format!("line {line} is no text in UTF-8"), Some("save it as UTF-8"))
    })
}

/// Reads the text of this file.
pub(super) fn parse(path: &FilePath, text: &str) -> Result<Config, ConfigError> {
    read(text, kind(path)?, Some(&path.display().to_string()))
}

/// What a file is by its name.
fn kind(path: &FilePath) -> Result<ToTree, ConfigError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Ok(toml::tree),
        Some("json") => Ok(json::tree),
        _ => {
            let help = "the name of a file of pipelines ends in `.toml` or in `.json`";
            Err(unreadable(path, "this is neither TOML nor JSON".to_owned(), Some(help)))
        }
    }
}

/// A file that nothing can be said of but this.
pub(super) fn unreadable(path: &FilePath, message: String, help: Option<&str>) -> ConfigError {
    ConfigError::one(Problem {
        severity: Severity::Error,
        code: None,
        message,
        path: String::new(),
        help: help.map(str::to_owned),
        place: None,
        file: Some(path.display().to_string()),
    })
}

fn too_large() -> String {
    format!("the file is larger than {} MiB", Config::LARGEST >> 20)
}

/// Reads the text of a file.
pub(super) fn read(text: &str, tree: ToTree, name: Option<&str>) -> Result<Config, ConfigError> {
    let source = Source::new(text, name);
    if text.len() > Config::LARGEST {
        let fault = Fault { at: 0..0, path: Path::default(), what: too_large(), help: None };
        return Err(ConfigError::one(source.problem(fault)));
    }
    let broken = |faults| failed(&source, faults, Vec::new());
    let (root, faults) = tree(text).map_err(broken)?;
    let settings = match PipelineSpec::named("").shape() {
        Shape::Part(_, settings) => settings,
        _ => Vec::new(),
    };
    let mut file = Reader { faults, settings, for_hosts: BTreeMap::new() };
    let raws = file.raws(&root);
    let resolved = chain::resolve(&raws, &mut file.faults);
    let mut found = check::all(&raws, &resolved, &source);
    found.sort_by_key(place);
    if !file.faults.is_empty() || found.iter().any(|found| found.severity == Severity::Error) {
        return Err(failed(&source, file.faults, found));
    }
    let specs = raws.into_iter().zip(resolved).filter_map(|(raw, read)| Some((raw, read?)));
    let pipelines = specs.map(|(raw, read)| {
        let for_hosts = raw.for_hosts;
        Configured { spec: read.spec, for_hosts }
    });
    Ok(Config { pipelines: pipelines.collect(), warnings: found })
}

fn place(problem: &Problem) -> Option<(usize, usize)> {
    problem.place.as_ref().map(|place| (place.line, place.column))
}

/// All errors in the order of the file.
fn failed(source: &Source<'_>, mut faults: Vec<Fault>, found: Vec<Problem>) -> ConfigError {
    faults.sort_by_key(|fault| fault.at.start);
    faults.dedup();
    let faults = faults.into_iter().map(|fault| source.problem(fault));
    let errors = found.into_iter().filter(|problem| problem.severity == Severity::Error);
    let mut problems: Vec<_> = faults.chain(errors).collect();
    problems.sort_by_key(place);
    let more = problems.len().saturating_sub(MOST);
    problems.truncate(MOST);
    ConfigError { problems, more }
}

/// Reads what is around the settings of pipelines.
struct Reader {
    faults: Vec<Fault>,
    /// Those of a pipeline.
    settings: Vec<SubShape>,
    /// Which pipeline each host has.
    for_hosts: BTreeMap<HostPattern, String>,
}

impl Reader {
    fn fault(&mut self, member: &Member, path: &Path, what: String, help: impl Into<String>) {
        let (at, path, help) = (member.mark(), path.clone(), Some(help.into()));
        self.faults.push(Fault { at, path, what, help });
    }

    /// The pipelines of a file, in its order.
    fn raws(&mut self, root: &Node) -> Vec<Raw> {
        let top = Path::default();
        let Tree::Table(members) = &root.tree else {
            let what = format!("a file of pipelines is a table, not {}", root.tree.kind());
            self.faults.push(Fault { at: root.at.clone(), path: top, what, help: None });
            return Vec::new();
        };
        let mut raws = Vec::new();
        for member in members {
            let path = top.join(&member.key);
            match (&*member.key, &member.node.tree) {
                ("$schema", Tree::Text(_)) => {}
                ("pipelines", Tree::Table(pipelines)) => {
                    raws.extend(pipelines.iter().filter_map(|member| self.raw(member, &path)));
                }
                ("pipelines", tree) => {
                    let what = format!("`pipelines` cannot be {}", tree.kind());
                    self.fault(
                        member,
                        &path,
                        what,
                        "a pipeline begins with `[pipelines.its_name]`",
                    );
                }
                (key, Tree::Table(_)) if nearest(key, ["pipelines"].into_iter()).is_none() => {
                    let what = format!("`{key}` does not stand among the pipelines");
                    let help = format!("a pipeline begins with `[pipelines.{path}]`");
                    self.fault(member, &path, what, help);
                }
                (key, _) => {
                    let help = match nearest(key, ["pipelines"].into_iter()) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => "settings stand in a pipeline: `[pipelines.its_name]`".to_owned(),
                    };
                    self.fault(member, &path, format!("there is no setting `{key}`"), help);
                }
            }
        }
        if raws.is_empty() && self.faults.is_empty() {
            let what = "there is no pipeline in this file".to_owned();
            let help = Some("a pipeline begins with `[pipelines.its_name]`".to_owned());
            self.faults.push(Fault { at: 0..0, path: top, what, help });
        }
        raws
    }

    fn raw(&mut self, pipeline: &Member, above: &Path) -> Option<Raw> {
        let path = above.join(&pipeline.key);
        let Tree::Table(members) = &pipeline.node.tree else {
            let (kind, name) = (pipeline.node.tree.kind(), &pipeline.key);
            let what = format!("the pipeline `{name}` cannot be {kind}");
            self.fault(pipeline, &path, what, "it is a table of settings");
            return None;
        };
        if pipeline.key.trim().is_empty() {
            let what = "the name of a pipeline is empty".to_owned();
            self.fault(pipeline, &path, what, "it is what events and refusals call it by");
        }
        let (mut extends, mut for_hosts) = (None, Vec::new());
        let (mut rest, mut hosts) = (Vec::new(), Vec::new());
        for member in members {
            let path = path.join(&member.key);
            match (&*member.key, &member.node.tree) {
                ("extends", Tree::Text(name)) => extends = Some((name.clone(), member.mark())),
                ("extends", tree) => {
                    let what = format!("`extends` cannot be {}", tree.kind());
                    self.fault(member, &path, what, "it is the name of a preset or of a pipeline");
                }
                ("for_hosts", _) => for_hosts = self.patterns(member, &path, &pipeline.key),
                ("hosts", _) => hosts.push(member.clone()),
                (key, _) => match self.meant(key) {
                    Some(own) => {
                        let what = format!("there is no setting `{key}`");
                        self.fault(member, &path, what, format!("did you mean `{own}`?"));
                    }
                    None => rest.push(member.clone()),
                },
            }
        }
        let table = |members| Node { at: pipeline.at.clone(), tree: Tree::Table(members) };
        let (rest, hosts) = (table(rest), table(hosts));
        let (name, at) = (pipeline.key.clone(), pipeline.at.clone());
        Some(Raw { name, at, extends, for_hosts, path, rest, hosts })
    }

    /// Which of the keys that are about a pipeline, and no setting of it, was meant.
    fn meant(&self, key: &str) -> Option<&'static str> {
        let settings = self.settings.iter().map(|setting| setting.name);
        let near = nearest(key, settings.clone().chain(["extends", "for_hosts"]))?;
        settings.clone().all(|name| name != near).then_some(near)
    }

    fn patterns(&mut self, member: &Member, path: &Path, pipeline: &str) -> Vec<HostPattern> {
        let Tree::List(nodes) = &member.node.tree else {
            let what = format!("`for_hosts` cannot be {}", member.node.tree.kind());
            self.fault(member, path, what, "it is a list of hosts: [\"api.github.com\"]");
            return Vec::new();
        };
        let mut patterns = Vec::new();
        for node in nodes {
            let mut fault = |what: String, help: &str| {
                let (at, path, help) = (node.at.clone(), path.clone(), Some(help.to_owned()));
                self.faults.push(Fault { at, path, what, help });
            };
            let Tree::Text(text) = &node.tree else {
                fault(format!("a host cannot be {}", node.tree.kind()), "it is text, in quotes");
                continue;
            };
            let pattern = HostPattern::new(text.trim());
            if pattern.as_str().is_empty() {
                fault("the name of a host is empty".to_owned(), "write \"*\" for every host");
                continue;
            }
            if !pattern.is_of_hosts() {
                let help = "it is a name as in a URL, without a path: \"api.github.com\", \
                            \"https://*.github.com\"";
                fault(format!("{} is no host", quote(text)), help);
                continue;
            }
            match self.for_hosts.get(&pattern) {
                Some(other) => {
                    let what = format!("`{pattern}` has a pipeline already: `{other}`");
                    fault(what, "leave it in one of them");
                }
                None => {
                    self.for_hosts.insert(pattern.clone(), pipeline.to_owned());
                    patterns.push(pattern);
                }
            }
        }
        patterns
    }
}
