//! The catalogue of fields: what users may write, what becomes of it, and the test that fails if it is ignored.
//!
//! The rows are compared with the definitions of the kinds, so that no field is without one; each is tried, by changing
//! that field alone and looking at what the proxy then holds. `docs/fields.md` is made of them:
//! `UPDATE=1 cargo test -p metactl --test fields` rewrites it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it cannot go on")]

mod base;
mod istio;
mod meta_router;
mod row;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use codec_api::Protocol;
use controller::{Controller, Diagnostic, Options, Severity};
use crds::{Definition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool};
use meta_proxy::tls::Files;
use meta_proxy::xds::{Codecs, State};
use row::{Row, Status};
use serde_json::Value;
use xds::Update;

/// The kinds, in the order of the document.
fn catalogue() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("MetaRouter", meta_router::router()),
        ("ApplicationProtocol", meta_router::protocol()),
        ("DestinationRule", istio::rule()),
        ("ServiceEntry", istio::service()),
        ("WorkloadEntry", istio::workload()),
    ]
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The paths of all fields below `path` that hold no further ones.
fn leaves(schema: &JSONSchemaProps, path: &str, found: &mut Vec<String>) {
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
        return leaves(each, &format!("{path}[]"), found);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(any)) = &schema.additional_properties {
        return leaves(any, &format!("{path}.*"), found);
    }
    match &schema.properties {
        Some(properties) => {
            for (name, schema) in properties {
                leaves(schema, &format!("{path}.{name}"), found);
            }
        }
        None => found.push(path.to_owned()),
    }
}

#[test]
fn every_field_has_one_row_and_every_row_a_field() {
    let mut wrong = Vec::new();
    for (kind, rows) in catalogue() {
        let definition = Definition::of_kind(kind).unwrap();
        let mut fields = Vec::new();
        leaves(&definition.schema().properties.as_ref().unwrap()["spec"], "spec", &mut fields);
        // Read by the controller, though no definition has it.
        fields.extend((kind == "ServiceEntry").then(|| "metadata.annotations.interface".to_owned()));
        for field in &fields {
            let count = rows.iter().filter(|row| row.covers(field)).count();
            if count != 1 {
                wrong.push(format!("{kind} {field}: {count} rows of metactl/tests/fields are about it"));
            }
        }
        let is_idle = |row: &&Row| !fields.iter().any(|field| row.covers(field));
        wrong.extend(rows.iter().filter(is_idle).map(|row| format!("{kind} has no field {}", row.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_that_a_row_names_exists() {
    let mut wrong = Vec::new();
    for row in catalogue().into_iter().flat_map(|(_, rows)| rows) {
        let (file, name) = row.test.split_once("::").unwrap();
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let heading = format!("fn {name}(");
        let is_it = |at: usize| {
            lines[at].trim_start_matches("async ").starts_with(&heading) && lines[at - 1].ends_with("test]")
        };
        if !(1..lines.len()).any(is_it) {
            wrong.push(format!("{}: {file} has no test {name}", row.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said of the objects, what the proxy refuses, and what it then holds; who else may see less is a part of it.
fn held(objects: &[Value]) -> (Vec<Diagnostic>, Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    for (number, object) in objects.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.json")), object.to_string()).unwrap();
    }
    let loaded = Controller::load_once(&[folder.path().to_owned()], &Options::default()).unwrap();
    let update = Update { changed: loaded.resources.into_values().collect(), removed: Vec::new() };
    let mut state = State::default();
    let all: [Arc<dyn Protocol>; 3] =
        [Arc::new(codec_dubbo::Dubbo), Arc::new(codec_thrift::Thrift), Arc::new(codec_redis::Redis)];
    let refused = state.apply(&update, &Codecs::new(all.to_vec()), &mut Files::unread()).rejected;
    let mut text = String::new();
    state.listeners().for_each(|entry| writeln!(text, "{:#?}", entry.value.model).unwrap());
    state.routes().for_each(|entry| writeln!(text, "{:#?}", entry.value.model).unwrap());
    state.clusters().for_each(|entry| writeln!(text, "{:#?}", entry.value.model).unwrap());
    state.endpoints().for_each(|entry| writeln!(text, "{:#?}", entry.value).unwrap());
    writeln!(text, "{:#?}", loaded.audiences).unwrap();
    (loaded.diagnostics, refused.iter().map(ToString::to_string).collect(), text)
}

/// What is wrong with what a row says, if anything is.
fn wrong(kind: &str, row: &Row) -> Option<String> {
    let mut objects = base::objects();
    let place = objects.iter().position(|object| object["kind"] == kind).unwrap();
    for (path, value) in &row.given {
        base::put(&mut objects[place], path, value);
    }
    let (said, refused, before) = held(&objects);
    let errors = |said: &[Diagnostic]| {
        let errors = said.iter().filter(|one| one.severity == Severity::Error);
        errors.map(ToString::to_string).collect::<Vec<_>>()
    };
    if !errors(&said).is_empty() || !refused.is_empty() {
        return Some(format!("before the change: {:?} {refused:?}", errors(&said)));
    }
    base::put(&mut objects[place], row.path, &row.other);
    for (path, value) in &row.also {
        base::put(&mut objects[place], path, value);
    }
    let (said, refused, after) = held(&objects);
    let mistakes: Vec<_> = errors(&said).into_iter().chain(refused).collect();
    match row.status {
        Status::Served if before == after => Some("the proxy holds the same".to_owned()),
        Status::Idle(_) if before != after => Some("the proxy holds something else".to_owned()),
        Status::Served if row.breaks => None,
        Status::Served | Status::Idle(_) if !mistakes.is_empty() => Some(format!("{mistakes:?}")),
        Status::Refused => {
            let text = format!(": {}: not supported yet", row.path.replace("[]", "[0]"));
            (mistakes.len() != 1 || !mistakes[0].contains(&text)).then(|| format!("{mistakes:?}"))
        }
        _ => None,
    }
}

#[test]
fn every_row_says_what_becomes_of_its_field() {
    let rows =
        || catalogue().into_iter().flat_map(|(kind, rows)| rows.into_iter().map(move |row| (kind, row)));
    let wrong: Vec<_> = rows()
        .filter_map(|(kind, row)| Some(format!("{kind} {}: {}", row.path, wrong(kind, &row)?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const HEAD: &str = "# Fields

Every field that is read, what becomes of it, and the test that fails if it is ignored. Made from `metactl/tests/fields`, which
compares the list with the definitions of the kinds and tries each row; never edited by hand.

A field of a kind of ours that is not listed is a mistake. One of Istio's kinds that is not listed is warned of: it has no effect.
`*` stands for any key of a map, `[]` for the items of a list.
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    for (kind, rows) in catalogue() {
        let ours = matches!(kind, "MetaRouter" | "ApplicationProtocol");
        let origin = if ours { "Aeraki" } else { "Istio" };
        writeln!(text, "\n## {kind}\n\n| field | what it says | served | of | test |\n|---|---|---|---|---|")
            .unwrap();
        for row in rows {
            let served = match row.status {
                Status::Served => "yes".to_owned(),
                Status::Idle(why) => format!("without effect: {why}"),
                Status::Refused => "refused: not supported yet".to_owned(),
            };
            let of = if row.is_addition { "addition" } else { origin };
            let (file, name) = row.test.split_once("::").unwrap();
            let link = format!("[{}](../{file})", name.replace('_', " "));
            writeln!(text, "| `{}` | {} | {served} | {of} | {link} |", row.path, row.meaning).unwrap();
        }
    }
    text
}

#[test]
fn the_document_is_made_of_the_rows() {
    let path = root().join("docs/fields.md");
    let fresh = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "docs/fields.md is stale: run UPDATE=1 cargo test -p metactl --test fields");
}
