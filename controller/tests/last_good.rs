//! Mistakes made while a controller runs: what was good stays in force, object by object.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use std::fs;
use std::path::Path;

use controller::snapshot::{Builder, Built, Catalogue};
use controller::source::folder;
use controller::translate::Options;
use support::{ORDERS, SUBSETS, documents, render, router};

/// Writes files and builds what they come to, with the memory of what was before.
struct Scene {
    folder: tempfile::TempDir,
    builder: Builder,
    catalogue: Catalogue,
}

impl Scene {
    fn new() -> Self {
        let (folder, builder) = (tempfile::tempdir().unwrap(), Builder::new(Options::default()));
        Self { folder, builder, catalogue: Catalogue::default() }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The routes now, and what is said, without the folder's name.
    fn build(&mut self) -> (Vec<String>, Vec<String>) {
        let batch = folder::read_once(&[self.folder.path().to_owned()]).unwrap();
        let Built { changes, remarks } = self.builder.build(batch);
        self.catalogue = self.catalogue.apply(changes);
        let diagnostics = remarks.diagnostics();
        let lines = self.catalogue.resources().flat_map(render).filter(|line| line.starts_with("route "));
        let short =
            |line: String| line.replace("outbound|20880|", "@").replace("|orders.shop.svc.cluster.local", "");
        let prefix = format!("{}/", self.folder.path().display());
        let said = diagnostics.iter().map(|diagnostic| diagnostic.to_string().replace(&prefix, "")).collect();
        let routes =
            lines.map(|line| short(line.splitn(3, ' ').last().unwrap_or_default().to_owned())).collect();
        (routes, said)
    }
}

fn to(subset: &str, fields: &str) -> String {
    router(&format!(
        "routes:\n- name: {subset}\n  route: [{{destination: {{host: orders, subset: {subset}}}}}]\n  {fields}"
    ))
}

#[test]
fn an_object_with_a_mistake_keeps_its_last_good_version_until_it_is_right_again() {
    let mut scene = Scene::new();
    scene.write("a.yaml", &documents(&[ORDERS, SUBSETS]));
    scene.write("b.yaml", &to("v1", ""));
    assert_eq!(scene.build(), (vec!["v1 -> @v1 100%".to_owned()], vec![]));

    let stays = "b.yaml: warning: MetaRouter shop/orders: its last good version stays in force";
    let mistakes = [
        // Found by the schema, by the translation, and by a reference to another object.
        (
            "timeout: 5",
            "b.yaml:9:14: error: MetaRouter shop/orders: spec.routes[0].timeout: must be a string, not a number; put it in quotes",
        ),
        (
            "timeout: soon",
            "b.yaml:9:14: error: MetaRouter shop/orders: spec.routes[0].timeout: \"soon\" is not a duration; write one such as 10s, 1500ms or 1h30m",
        ),
        (
            "mirror: {host: nobody}",
            "b.yaml:9:20: error: MetaRouter shop/orders: spec.routes[0].mirror.host: no Service or ServiceEntry has host nobody",
        ),
    ];
    for (fields, mistake) in mistakes {
        scene.write("b.yaml", &to("v2", fields));
        let (routes, said) = scene.build();
        assert_eq!(routes, ["v1 -> @v1 100%"], "{fields}");
        assert_eq!(said, [stays, mistake], "{fields}");
    }
    scene.write("b.yaml", &to("v2", "timeout: 5s"));
    assert_eq!(scene.build(), (vec!["v2 -> @v2 100% timeout 5".to_owned()], vec![]));

    fs::remove_file(scene.folder.path().join("b.yaml")).unwrap();
    assert_eq!(scene.build().0, ["default -> @ 100%"]);
    scene.write("b.yaml", &to("v1", "timeout: 5"));
    assert_eq!(scene.build().0, ["default -> @ 100%"], "what was deleted is forgotten");
}

#[test]
fn a_reference_that_breaks_from_the_other_side_answers_what_it_is() {
    let mut scene = Scene::new();
    scene.write("a.yaml", ORDERS);
    scene.write("b.yaml", SUBSETS);
    scene.write("c.yaml", &to("v1", ""));
    assert_eq!(scene.build().0, ["v1 -> @v1 100%"]);
    scene.write("b.yaml", &SUBSETS.replace("name: v1", "name: v9"));
    let (routes, said) = scene.build();
    assert!(routes[0].contains("misconfigured") && routes[0].contains("defines no subset v1"), "{routes:?}");
    assert_eq!(said.len(), 1, "{said:?}");
    scene.write("b.yaml", SUBSETS);
    assert_eq!(scene.build(), (vec!["v1 -> @v1 100%".to_owned()], vec![]));
}

#[test]
fn at_the_start_a_broken_file_and_a_bad_object_leave_the_rest() {
    let mut scene = Scene::new();
    let bad = SUBSETS.replace("name: orders", "name: other").replace("host: orders", "hsot: orders");
    scene.write("a.yaml", &documents(&[ORDERS, SUBSETS, &bad]));
    scene.write("b.yaml", "kind: MetaRouter\n  metadata: {");
    scene.write("c.yaml", &to("v2", ""));
    let (routes, said) = scene.build();
    assert_eq!(routes, ["v2 -> @v2 100%"]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("a.yaml:30:1: error: DestinationRule shop/other: spec.host: is missing"),
        "{said:?}"
    );
    assert!(said[1].starts_with("b.yaml:2:"), "{said:?}");
}

#[test]
fn a_path_that_is_gone_is_an_error_of_the_start_only() {
    let error = folder::read_once(&[Path::new("/does/not/exist").to_owned()]).unwrap_err();
    assert!(error.to_string().starts_with("/does/not/exist: "));
}

#[test]
fn an_object_that_was_deleted_and_made_again_has_no_last_good_version_yet() {
    let mut scene = Scene::new();
    scene.write("a.yaml", &documents(&[ORDERS, SUBSETS]));
    let made = |name: &str, subset: &str, second: u32| {
        let made = format!("name: {name}, creationTimestamp: \"2024-01-01T00:00:0{second}Z\"");
        to(subset, "").replace("name: orders", &made)
    };
    scene.write("b.yaml", &made("first", "v1", 1));
    scene.write("c.yaml", &made("second", "v2", 1));
    assert_eq!(scene.build().0, ["v1 -> @v1 100%"]);
    // Now it is the younger one, and the good version of its namesake counts for nothing.
    scene.write("b.yaml", &made("first", "v1", 2));
    let (routes, said) = scene.build();
    assert_eq!(routes, ["v2 -> @v2 100%"]);
    assert!(said.iter().any(|line| line.contains("is routed by MetaRouter shop/second")), "{said:?}");
}
