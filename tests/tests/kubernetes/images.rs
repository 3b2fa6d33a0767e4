//! What can be said of the images without building them: they hold the programs that the chart starts, and run as nobody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::kubernetes::render;
use serde_json::Value;

use crate::chart::{GATEWAY, containers};

/// A stage of the Dockerfile: what it is built on, and its other instructions.
#[derive(Debug, Default)]
struct Stage {
    base: String,
    instructions: Vec<(String, String)>,
}

impl Stage {
    /// What follows an instruction, for each time that it stands there.
    fn all<'a>(&'a self, instruction: &'a str) -> impl Iterator<Item = &'a str> {
        self.instructions.iter().filter(move |(name, _)| name == instruction).map(|(_, rest)| rest.as_str())
    }

    /// What follows an instruction that stands there once.
    fn one<'a>(&'a self, instruction: &'a str) -> &'a str {
        let all: Vec<_> = self.all(instruction).collect();
        let [one] = all[..] else { panic!("{instruction} is there {} times", all.len()) };
        one
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The stages of the Dockerfile by name.
fn stages() -> BTreeMap<String, Stage> {
    let text = read("deploy/docker/Dockerfile").replace("\\\n", " ");
    let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (instruction, rest) = line.split_once(' ').unwrap();
        if instruction == "FROM" {
            let (base, name) = rest.split_once(" AS ").unwrap();
            name.clone_into(&mut current);
            stages.insert(current.clone(), Stage { base: base.to_owned(), instructions: Vec::new() });
        } else {
            let stage = stages.get_mut(&current).unwrap();
            stage.instructions.push((instruction.to_owned(), rest.trim().to_owned()));
        }
    }
    stages
}

/// Names of the workspace's programs, by the package that they are of.
fn programs() -> BTreeMap<String, Vec<String>> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--format-version=1", "--offline"]).current_dir(root());
    let metadata: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let programs = |package: &Value| {
        let targets = package["targets"].as_array().unwrap().iter();
        let bins = targets.filter(|target| target["kind"][0] == "bin");
        bins.map(|target| target["name"].as_str().unwrap().to_owned()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), programs(package))).collect()
}

/// Words that follow a flag.
fn after<'a>(words: &[&'a str], flag: &str) -> Vec<&'a str> {
    words.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1]).collect()
}

#[test]
fn they_are_built_by_the_toolchain_of_the_repository_from_its_packages() {
    let stages = stages();
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    assert!(stages["build"].base.starts_with(&format!("rust:{channel}-")), "{}", stages["build"].base);
    let programs = programs();
    let words: Vec<_> = stages["build"].one("RUN").split_whitespace().collect();
    let built: Vec<_> = after(&words, "-p").into_iter().flat_map(|package| &programs[package]).collect();
    for name in ["controller", "meta-proxy"] {
        assert!(built.iter().any(|program| *program == name), "{name} is not built: {words:?}");
        assert!(words.contains(&format!("target/release/{name}").as_str()), "{name} is not kept: {words:?}");
    }
    assert!(words.contains(&"--locked"));
    for source in stages["build"].all("COPY").map(|copy| copy.split(' ').next().unwrap()) {
        assert!(root().join(source).exists(), "{source} does not exist");
    }
}

#[test]
fn they_run_as_nobody_what_the_chart_starts_and_open_its_ports() {
    let stages = stages();
    let objects = render("mesh-system", GATEWAY).unwrap();
    let containers = containers(&objects);
    assert_eq!(containers.len(), 2);
    for (pod, container) in containers {
        let name = container["name"].as_str().unwrap();
        let image = container["image"].as_str().unwrap();
        assert!(image.split(':').next().unwrap().ends_with(&format!("/{name}")), "{image}");
        let stage = &stages[name];
        let program = format!("--from=build /out/{name} ");
        let place = stage.all("COPY").find_map(|copy| copy.strip_prefix(&program)).unwrap();
        assert_eq!(stage.one("ENTRYPOINT"), format!("[\"{place}\"]"));
        // The chart's services are no part of the image.
        let ports = container["ports"].as_array().unwrap().iter();
        let own = ports.filter(|port| !port["name"].as_str().unwrap().starts_with("tcp-"));
        let own: Vec<_> = own.map(|port| port["containerPort"].to_string()).collect();
        assert_eq!(stage.one("EXPOSE").split(' ').collect::<Vec<_>>(), own);
        let security = &pod["securityContext"];
        let user = format!("{}:{}", security["runAsUser"], security["runAsGroup"]);
        assert_eq!(stage.one("USER"), user);
        assert!(security["runAsUser"].as_u64().unwrap() > 0);
    }
}
