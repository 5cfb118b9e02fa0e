//! What a suite says: a line for each thing that was measured, as a table or as JSON.

use std::fmt::Write as _;

/// What was measured of one thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) suite: &'static str,
    pub(crate) case: String,
    /// Whose it is.
    pub(crate) peer: &'static str,
    /// Nanoseconds of one call, or of whatever the suite counts.
    pub(crate) nanos: Option<f64>,
    pub(crate) allocations: Option<f64>,
    pub(crate) instructions: Option<f64>,
    /// Instructions less those of the bare service with the same request.
    pub(crate) net: Option<f64>,
    /// To the baseline of the suite.
    pub(crate) ratio: Option<f64>,
    /// What only this suite counts.
    pub(crate) more: Vec<(&'static str, f64)>,
}

impl Row {
    pub(crate) fn new(suite: &'static str, case: impl Into<String>, peer: &'static str) -> Self {
        Self { suite, case: case.into(), peer, ..Self::default() }
    }

    fn numbers(&self) -> [(&'static str, Option<f64>); 5] {
        [
            ("ns", self.nanos),
            ("allocs", self.allocations),
            ("instructions", self.instructions),
            ("net", self.net),
            ("ratio", self.ratio),
        ]
    }

    fn json(&self) -> String {
        let Self { suite, case, peer, .. } = self;
        let mut line = format!(r#"{{"suite":"{suite}","case":"{case}","peer":"{peer}""#);
        for (name, number) in self.numbers() {
            let number = number.map_or_else(|| "null".to_owned(), short);
            let _ = write!(line, r#","{name}":{number}"#);
        }
        for (name, number) in &self.more {
            let _ = write!(line, r#","{name}":{}"#, short(*number));
        }
        line.push('}');
        line
    }

    fn line(&self) -> String {
        let mut line = format!("{:<26} {:<18}", self.case, self.peer);
        for (_, number) in self.numbers() {
            let number = number.map_or_else(|| "-".to_owned(), short);
            let _ = write!(line, " {number:>12}");
        }
        for (name, number) in &self.more {
            let _ = write!(line, "  {name} {}", short(*number));
        }
        line
    }
}

/// No more digits than mean something.
fn short(number: f64) -> String {
    let size = number.abs();
    let digits = match size {
        _ if number.fract() == 0.0 || size >= 1_000.0 => 0,
        _ if size >= 10.0 => 1,
        _ => 3,
    };
    format!("{number:.digits$}")
}

/// Where the rows go, one by one as they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Table,
    Json,
}

impl Report {
    /// What stands above the rows, and what they are.
    pub(crate) fn begins(self, suite: &str, about: &str) {
        if self == Self::Json {
            return;
        }
        println!("{suite}: {about}");
        print!("{:<26} {:<18}", "case", "peer");
        for name in ["ns", "allocs", "instructions", "net", "ratio"] {
            print!(" {name:>12}");
        }
        println!();
    }

    pub(crate) fn row(self, row: &Row) {
        match self {
            Self::Table => println!("{}", row.line()),
            Self::Json => println!("{}", row.json()),
        }
    }

    pub(crate) fn ends(self) {
        if self == Self::Table {
            println!();
        }
    }
}
