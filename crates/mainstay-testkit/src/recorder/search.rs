//! How many events there should be.

use super::{Told, list};

/// Events with a message, and how many there should be.
///
/// What fails lists all that was told.
#[derive(Clone, Debug)]
#[must_use = "it says nothing by itself"]
pub struct Search {
    all: Vec<Told>,
    found: Vec<Told>,
    /// What is looked for, in words.
    said: String,
}

impl Search {
    pub(super) fn new(all: Vec<Told>, message: &str) -> Self {
        let found = all.iter().filter(|event| event.message == message).cloned().collect();
        Self { all, found, said: format!("{message:?}") }
    }

    /// Those of them with this field, which is compared as text.
    pub fn with(mut self, field: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        self.found.retain(|event| event.field(field) == Some(&value));
        self.said += &format!(" with {field}={value}");
        self
    }

    /// Those of them without this field.
    pub fn without(mut self, field: &str) -> Self {
        self.found.retain(|event| event.field(field).is_none());
        self.said += &format!(" without {field}");
        self
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// All of them.
    #[must_use]
    pub fn found(self) -> Vec<Told> {
        self.found
    }

    /// Gives the only one, and fails if there is none, or another.
    ///
    /// # Panics
    ///
    /// If there are more, or none.
    #[track_caller]
    #[must_use = "say `once` where nothing more is asked of it"]
    pub fn only(self) -> Told {
        self.expects(1);
        self.found[0].clone()
    }

    /// Fails unless there is one.
    ///
    /// # Panics
    ///
    /// If there are more, or none.
    #[track_caller]
    pub fn once(self) {
        self.expects(1);
    }

    /// Fails unless there are so many.
    ///
    /// # Panics
    ///
    /// If there are more, or fewer.
    #[track_caller]
    pub fn times(self, count: usize) {
        self.expects(count);
    }

    /// Fails unless there is none.
    ///
    /// # Panics
    ///
    /// If there is one.
    #[track_caller]
    pub fn never(self) {
        self.expects(0);
    }

    #[track_caller]
    fn expects(&self, count: usize) {
        let (said, found) = (&self.said, self.count());
        assert!(
            found == count,
            "{said} was told {found} times and not {count}; told was:\n{}",
            list(&self.all)
        );
    }
}
