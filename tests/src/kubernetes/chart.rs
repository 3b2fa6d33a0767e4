//! The Helm chart, as Helm renders it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::server::root;
use crate::command;

/// How long Helm may take, on a machine that does much else.
const RENDERED: Duration = Duration::from_mins(1);

/// What `helm template` makes of the chart with these values (YAML), for a release of this namespace; or what it says is
/// wrong with them.
pub fn render(namespace: &str, values: &str) -> Result<Vec<Value>, String> {
    let mut helm = Command::new(program());
    helm.args(["template", "meta-proxy"]).arg(root().join("deploy").join("chart"));
    helm.args(["--namespace", namespace, "--values", "-"]);
    let ran = command::run_with(helm, values, RENDERED);
    if ran.code != Some(0) {
        return Err(ran.stderr);
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(&ran.stdout)
        .unwrap_or_else(|error| panic!("the chart renders no YAML: {error}:\n{}", ran.stdout));
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

fn program() -> PathBuf {
    let script = root().join("tests").join("tools").join("helm").join("build");
    let mut command = Command::new(&script);
    command.arg("path");
    let path = PathBuf::from(command::run(command, RENDERED).stdout.trim());
    assert!(
        path.is_file(),
        "{} does not exist: `make test` or {} builds it",
        path.display(),
        script.display()
    );
    path
}
