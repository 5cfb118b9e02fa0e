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
    /// [reloaded](Pipeline::reload), what is not in it any more is for no host any more, and of
    /// several for a host the first in the file counts. Where it has one that is called `default`,
    /// that is from now on for all others.
    ///
    /// # Errors
    ///
    /// What [`PipelineSpec::check`] finds, or that they were [closed](Self::close); nothing is
    /// changed then.
    pub fn reload(&self, config: &Config) -> Result<(), PipelineError> {
        let standard = PipelineSpec::standard();
        let others = match config.get(DEFAULT) {
            None if *self.others().name() == *DEFAULT => Some(&standard),
            spec => spec,
        };
        let some = config.iter().map(|Configured { spec, for_hosts }| {
            ((*spec.name != *DEFAULT).then_some(spec), &**for_hosts)
        });
        let some = some.filter(|(spec, for_hosts)| spec.is_some() || !for_hosts.is_empty());
        self.become_these(others, &some.collect::<Vec<_>>())
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
    #[test]
    fn of_the_pipelines_for_a_host_the_first_in_the_file_counts_also_when_it_came_later() {
        let some = "[pipelines.some]\nfor_hosts = [\"*.example\"]\n";
        let one = "[pipelines.one]\nfor_hosts = [\"a.example\"]\n";
        let pipelines = Pipelines::of_config(&of(some)).unwrap();
        pipelines.reload(&of(&format!("{one}{some}"))).unwrap();
        assert_eq!(goes_to(&pipelines, "a.example"), "one");
        pipelines.reload(&of(&format!("{some}{one}"))).unwrap();
        assert_eq!(goes_to(&pipelines, "a.example"), "some");
    }

    #[test]
    fn the_one_for_all_others_may_name_hosts_that_are_not_another_s() {
        let file = |hosts| {
            let some = "[pipelines.some]\nfor_hosts = [\"*.example\"]\n";
            of(&format!("[pipelines.default]\nfor_hosts = [{hosts}]\n{some}"))
        };
        let pipelines = Pipelines::of_config(&file("\"a.example\"")).unwrap();
        assert_eq!(goes_to(&pipelines, "a.example"), "default");
        assert_eq!(goes_to(&pipelines, "b.example"), "some");
        assert_eq!(pipelines.all().len(), 2);
        pipelines.reload(&file("")).unwrap();
        assert_eq!(goes_to(&pipelines, "a.example"), "some");
    }

    #[test]
    fn one_that_has_the_name_of_a_preset_is_not_taken_for_all_others() {
        let file = "[pipelines.standard]\ndeadline = \"7s\"\nfor_hosts = [\"a.example\"]\n";
        let pipelines = Pipelines::of_config(&of(file)).unwrap();
        let deadline = |host| pipelines.of_host(host).spec().deadline.unwrap().as_secs();
        assert_eq!((deadline("a.example"), deadline("b.example")), (7, 30));
    }

    #[tokio::test]
    async fn what_was_closed_stays_closed_whatever_file_comes() {
        let pipelines = Pipelines::of_config(&of("[pipelines.a]")).unwrap();
        pipelines.close().await;
        let next = of("[pipelines.a]\n[pipelines.b]\nfor_hosts = [\"b.example\"]\n");
        assert!(pipelines.reload(&next).is_err());
        assert!(pipelines.add(PipelineSpec::named("c"), ["c.example"]).is_err());
        assert_eq!(pipelines.all().len(), 2);
    }
}
