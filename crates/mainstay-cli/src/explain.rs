//! `mainstay explain`: what a pipeline is made of, what it does and what it can cost.

use mainstay::pipeline::PipelineSpec;

use crate::args::{Explain, Format};
use crate::check;
use crate::exit::Exit;
use crate::out;

pub(crate) fn run(explain: &Explain) -> Exit {
    let specs = match specs(explain) {
        Ok(specs) => specs,
        Err(wrong) => return out::wrong(wrong),
    };
    let told: Vec<String> = specs
        .iter()
        .map(|spec| match explain.format {
            Format::Text => spec.explain().to_string(),
            Format::Json => spec.explain().to_json(),
        })
        .collect();
    let text = match (explain.format, told.as_slice()) {
        (Format::Text, told) => told.join("\n"),
        (Format::Json, [one]) if explain.name.is_some() => one.clone(),
        (Format::Json, told) => format!("[{}]", told.join(",\n")),
    };
    out::whole(&format!("{}\n", text.trim_end()))
}

/// The pipelines that are asked for.
fn specs(explain: &Explain) -> Result<Vec<PipelineSpec>, String> {
    if let Some(preset) = &explain.preset {
        return Ok(preset_of(preset).into_iter().collect());
    }
    let Some(file) = &explain.file else { return Ok(vec![PipelineSpec::standard()]) };
    let config = check::read(file)?;
    let all = || config.iter().map(|configured| configured.spec.clone());
    let Some(name) = &explain.name else { return Ok(all().collect()) };
    let spec = config.get(name).cloned().or_else(|| preset_of(name));
    match spec {
        Some(spec) => Ok(vec![spec]),
        None => Err(no_such_pipeline(name, &file.display().to_string(), all())),
    }
}

/// One that comes with mainstay, written with hyphens or not.
pub(crate) fn preset_of(name: &str) -> Option<PipelineSpec> {
    PipelineSpec::preset(name).or_else(|| PipelineSpec::preset(&name.replace('-', "_")))
}

pub(crate) fn no_such_pipeline(
    name: &str,
    file: &str,
    all: impl Iterator<Item = PipelineSpec>,
) -> String {
    let names: Vec<String> = all.map(|spec| format!("`{}`", spec.name)).collect();
    let (names, known) = (names.join(", "), PipelineSpec::PRESETS.join(", "));
    format!("{file} has no pipeline `{name}`; it has {names}, and with mainstay come {known}")
}
