//! `metactl validate`: the rules of controller, proxy and codecs, offline.

use std::path::PathBuf;
use std::process::ExitCode;

use controller::{Controller, Loaded, Refusal};
use meta_proxy::xds::{Codecs, State};
use xds::{ResourceType, Update};

use crate::cli::{Understanding, Validate};

/// Prints everything there is to say; exit code 1 if something would not be in force.
pub fn validate(validate: &Validate, codecs: &Codecs) -> Result<ExitCode, String> {
    let checked = check(&validate.objects.paths, &validate.objects.understanding, codecs)?;
    for diagnostic in &checked.loaded.diagnostics {
        println!("{diagnostic}");
    }
    for refusal in &checked.refusals {
        println!("{refusal}");
    }
    if checked.loaded.has_errors() || !checked.refusals.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let count = |kind| checked.loaded.resources.keys().filter(|(other, _)| *other == kind).count();
    println!(
        "ok: {} listeners, {} route configurations, {} clusters",
        count(ResourceType::Listener),
        count(ResourceType::Routes),
        count(ResourceType::Cluster)
    );
    Ok(ExitCode::SUCCESS)
}

/// What some paths come to, and what a proxy makes of it.
pub struct Checked {
    /// What the controller made of them.
    pub loaded: Loaded,
    /// What the proxy took.
    pub state: State,
    /// What it refused.
    pub refusals: Vec<Refusal>,
}

/// Loads and converts as `metactl run` would.
pub fn check(paths: &[PathBuf], understanding: &Understanding, codecs: &Codecs) -> Result<Checked, String> {
    let loaded = Controller::load_once(paths, &understanding.options()).map_err(|error| error.to_string())?;
    let update = Update { changed: loaded.resources.values().cloned().collect(), removed: Vec::new() };
    let mut state = State::default();
    let ack = state.apply(&update, codecs);
    let refusals = ack.rejected.into_iter().map(|rejection| Refusal::of(&update, rejection)).collect();
    Ok(Checked { loaded, state, refusals })
}
