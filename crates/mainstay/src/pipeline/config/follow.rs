//! Pipelines that go on by a file.

use super::{Config, Configured, Watcher};
use crate::observe::{Event, tell};
use crate::pipeline::{LAYER, Pipeline, PipelineError, PipelineSpec, Pipelines};

/// The pipeline of a file that is for all hosts that no other is for.
const DEFAULT: &str = "default";

impl Pipelines {
    /// Those of a file, each for its `for_hosts`. What no other is for goes through the one that is
    /// called `default`, or else through [`PipelineSpec::standard`].
    ///
    /// ```
    /// use mainstay::pipeline::Pipelines;
    /// use mainstay::pipeline::config::Config;
    ///
    /// let config = Config::from_toml(r#"
    ///     [pipelines.default]
    ///     extends = "standard"
    ///
    ///     [pipelines.github]
    ///     extends = "third_party_api"
    ///     for_hosts = ["api.github.com"]
    /// "#)?;
    /// let pipelines = Pipelines::of_config(&config)?;
    /// assert_eq!(&*pipelines.of_host("https://api.github.com").name(), "github");
    /// assert_eq!(&*pipelines.of_host("https://example.com").name(), "default");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds; a [`Config`] that was read has nothing of that.
    pub fn of_config(config: &Config) -> Result<Self, PipelineError> {
        let others = config.get(DEFAULT).cloned().unwrap_or_else(PipelineSpec::standard);
        let pipelines = Self::new(others)?;
        pipelines.reload(config)?;
        Ok(pipelines)
    }

    /// Goes on by a file: what is new in it is added, what has changed is
    /// [reloaded](Pipeline::reload), and what is not in it any more is for no host any more. Where
    /// it has one that is called `default`, that is from now on for all others.
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds; nothing is changed then.
    pub fn reload(&self, config: &Config) -> Result<(), PipelineError> {
        for Configured { spec, .. } in config {
            spec.check()?;
        }
        let others = self.others();
        match config.get(DEFAULT) {
            Some(spec) => others.goes_on_by(spec)?,
            None if *others.name() == *DEFAULT => others.goes_on_by(&PipelineSpec::standard())?,
            None => {}
        }
        for Configured { spec, for_hosts } in config {
            if *spec.name != *DEFAULT {
                self.add(spec.clone(), for_hosts.iter().cloned())?;
            }
        }
        self.keep_only(|name| config.get(name).is_some());
        Ok(())
    }

    /// Goes on by a file whenever that is another, for as long as this is polled: to be spawned. A
    /// file that is wrong changes nothing; an event says what is wrong with it.
    ///
    /// ```no_run
    /// use mainstay::pipeline::Pipelines;
    /// use mainstay::pipeline::config::Watcher;
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let (config, watcher) = Watcher::open("pipelines.toml").await?;
    /// let pipelines = Pipelines::of_config(&config)?;
    /// tokio::spawn(pipelines.clone().follow(watcher));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn follow(self, mut watcher: Watcher) {
        loop {
            match watcher.changed().await {
                // Each pipeline that cannot go on by its part says so itself.
                Ok(config) => drop(self.reload(&config)),
                Err(error) => warn("pipelines", &error),
            }
        }
    }
}

impl Pipeline {
    /// Goes on by the pipeline of its name in a file whenever that is another, for as long as this is
    /// polled: to be spawned. A file that is wrong, or has none of its name, changes nothing; an
    /// event says so.
    pub async fn follow(self, mut watcher: Watcher) {
        let name = self.name();
        loop {
            match watcher.changed().await {
                Ok(config) => match config.get(&name) {
                    Some(spec) => drop(self.goes_on_by(spec)),
                    None => warn(&name, "the file has no pipeline of this name any more"),
                },
                Err(error) => warn(&name, &error),
            }
        }
    }
}

fn warn(name: &str, what: impl ToString) {
    let what = what.to_string();
    tell(Event::Warning { layer: LAYER, name: Some(name), what: &what, took: None });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Config {
        Config::from_toml(text).unwrap()
    }

    fn goes_to(pipelines: &Pipelines, host: &str) -> String {
        pipelines.of_host(host).name().to_string()
    }

    #[test]
    fn a_file_says_which_pipelines_there_are_and_for_which_hosts() {
        let pipelines = Pipelines::of_config(&of(r#"
            [pipelines.a]
            for_hosts = ["a.example"]
            [pipelines.b]
            for_hosts = ["b.example"]
        "#));
        let pipelines = pipelines.unwrap();
        assert_eq!(goes_to(&pipelines, "a.example"), "a");
        assert_eq!(goes_to(&pipelines, "c.example"), "standard");

        let b = pipelines.get("b").unwrap();
        let next = of(r#"
            [pipelines.default]
            [pipelines.b]
            deadline = "7s"
            for_hosts = ["c.example"]
        "#);
        pipelines.reload(&next).unwrap();
        let asked = ["a.example", "b.example", "c.example"].map(|host| goes_to(&pipelines, host));
        assert_eq!(asked, ["default", "default", "b"]);
        assert_eq!(b.spec(), *next.get("b").unwrap(), "it is the same one");
        assert!(pipelines.get("a").is_none());

        pipelines.reload(&of("[pipelines.c]")).unwrap();
        assert_eq!(goes_to(&pipelines, "b.example"), "standard");
    }
}
