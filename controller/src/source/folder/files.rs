//! What a set of files says, given their bytes: pure, so that tests need no files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use crate::object::{AnyObject, Broken, Key, Location};
use crate::source::document::Documents;
use crate::source::{Batch, yaml};
use crate::status::{Diagnostic, Severity};
use crate::tree::{FieldPath, Position};

/// Added to a mistake that keeps a file from being read.
const STAYS: &str = "; what this file said before stays in force";

/// What reading all files once gave.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes of each file, or why they cannot be had.
    pub(super) files: BTreeMap<PathBuf, Result<Vec<u8>, String>>,
    /// Folders that cannot be listed, and why: nothing is known of the files in them.
    pub(super) unreachable: Vec<(PathBuf, String)>,
}

/// All files, and what each last said.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<Arc<Path>, File>,
    unreachable: Vec<Diagnostic>,
}

#[derive(Debug, Default)]
struct File {
    /// Of the bytes last read, good or not; `None` where reading failed.
    digest: Option<u128>,
    objects: Vec<AnyObject>,
    broken: Vec<Broken>,
    diagnostics: Vec<Diagnostic>,
}

impl Files {
    /// Takes what was read. Says whether anything is different now.
    pub(super) fn update(&mut self, scan: Scan) -> bool {
        let mut changed = false;
        let lost: Vec<&PathBuf> = scan.unreachable.iter().map(|(folder, _)| folder).collect();
        self.files.retain(|path, _| {
            let stays =
                scan.files.contains_key(&**path) || lost.iter().any(|folder| path.starts_with(folder));
            changed |= !stays;
            stays
        });
        for (path, bytes) in scan.files {
            changed |= self.update_file(Arc::from(path), bytes);
        }
        let unreachable: Vec<Diagnostic> = scan
            .unreachable
            .into_iter()
            .map(|(folder, reason)| {
                let message = format!("{reason}; what its files said before stays in force");
                Diagnostic::of_file(Arc::from(folder), None, Severity::Error, message)
            })
            .collect();
        changed |= self.unreachable != unreachable;
        self.unreachable = unreachable;
        changed
    }

    fn update_file(&mut self, path: Arc<Path>, bytes: Result<Vec<u8>, String>) -> bool {
        let is_new = !self.files.contains_key(&path);
        let file = self.files.entry(Arc::clone(&path)).or_default();
        let digest = bytes.as_ref().ok().map(|bytes| xxh3_128(bytes));
        if digest.is_some() && digest == file.digest {
            return false;
        }
        file.digest = digest;
        let read = bytes
            .map_err(|reason| (None, reason))
            .and_then(|bytes| String::from_utf8(bytes).map_err(|error| not_text(&error)))
            .and_then(|text| yaml::documents(&text).map_err(|error| (error.position, error.message)));
        match read {
            Ok(nodes) => {
                let mut documents = Documents::default();
                for node in nodes {
                    documents.read(&path, node);
                }
                file.take(documents, is_new);
            }
            Err((position, message)) => {
                let stays = if is_new { "" } else { STAYS };
                let diagnostic =
                    Diagnostic::of_file(path, position, Severity::Error, format!("{message}{stays}"));
                let changed = file.diagnostics != [diagnostic.clone()];
                file.diagnostics = vec![diagnostic];
                return changed;
            }
        }
        true
    }

    /// All that the files say now.
    pub(super) fn batch(&self) -> Batch {
        let mut batch = Batch { diagnostics: self.unreachable.clone(), ..Batch::default() };
        let mut seen: BTreeMap<&Key, Option<&Location>> = BTreeMap::new();
        for file in self.files.values() {
            batch.diagnostics.extend(file.diagnostics.iter().cloned());
            for object in &file.objects {
                if let Some(first) = seen.get(object.key()) {
                    batch.diagnostics.push(twice(object, *first));
                } else {
                    seen.insert(object.key(), object.location());
                    batch.objects.push(object.clone());
                }
            }
        }
        let broken = self.files.values().flat_map(|file| &file.broken);
        batch.broken = broken.filter(|broken| !seen.contains_key(&broken.key)).cloned().collect();
        batch
    }
}

impl File {
    fn take(&mut self, documents: Documents, is_new: bool) {
        self.diagnostics = documents.diagnostics;
        if !documents.incomplete || is_new {
            self.objects = documents.objects;
            self.broken = documents.broken;
            return;
        }
        // What the file means as a whole is unclear, so nothing in it changes until it is clear again.
        for diagnostic in self.diagnostics.iter_mut().filter(|diagnostic| diagnostic.object.is_none()) {
            if diagnostic.severity == Severity::Error {
                diagnostic.message.push_str(STAYS);
            }
        }
    }
}

fn not_text(error: &std::string::FromUtf8Error) -> (Option<Position>, String) {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let mut lines = good.split(|byte| *byte == b'\n');
    let line = u32::try_from(lines.clone().count()).unwrap_or(u32::MAX);
    let last = lines.next_back().map_or(0, |line| String::from_utf8_lossy(line).chars().count());
    let column = u32::try_from(last + 1).unwrap_or(u32::MAX);
    (Some(Position { line, column }), "this is not UTF-8 text".to_owned())
}

fn twice(object: &AnyObject, first: Option<&Location>) -> Diagnostic {
    let first = first.map_or_else(String::new, |location| {
        format!(" at {}:{}", location.file.display(), location.tree.position.line)
    });
    let message = format!("stands already{first}, which is in force; remove one of them");
    Diagnostic::of(object.head(), Severity::Error, FieldPath::root(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(name: &str, host: &str) -> String {
        format!(
            "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{hosts: [{host}]}}\n"
        )
    }

    fn scan(files: &[(&str, &str)]) -> Scan {
        Scan {
            files: files.iter().map(|(path, text)| (path.into(), Ok(text.as_bytes().to_vec()))).collect(),
            unreachable: Vec::new(),
        }
    }

    fn objects(files: &Files) -> Vec<String> {
        files.batch().objects.iter().map(|object| object.key().to_string()).collect()
    }

    fn said(files: &Files) -> Vec<String> {
        files.batch().diagnostics.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_that_is_not_yaml_keeps_what_it_said_and_the_others_go_on() {
        let mut files = Files::default();
        assert!(files.update(scan(&[("a.yaml", &router("a", "a")), ("b.yaml", &router("b", "b"))])));
        assert!(files.update(scan(&[("a.yaml", "kind: ["), ("b.yaml", &router("b2", "b"))])));
        assert_eq!(objects(&files), ["MetaRouter shop/a", "MetaRouter shop/b2"]);
        assert_eq!(
            said(&files),
            ["a.yaml:1:7: error: unclosed bracket '['; what this file said before stays in force"]
        );
        assert!(files.update(scan(&[("a.yaml", &router("a", "a"))])));
        assert_eq!(objects(&files), ["MetaRouter shop/a"]);
        assert!(said(&files).is_empty());
    }

    #[test]
    fn an_unchanged_scan_changes_nothing() {
        let mut files = Files::default();
        let text = router("a", "a");
        assert!(files.update(scan(&[("a.yaml", &text), ("b.yaml", "{")])));
        assert!(!files.update(scan(&[("a.yaml", &text), ("b.yaml", "{")])));
    }

    #[test]
    fn a_file_that_is_gone_says_nothing() {
        let mut files = Files::default();
        files.update(scan(&[("a.yaml", &router("a", "a"))]));
        assert!(files.update(scan(&[])));
        assert!(objects(&files).is_empty());
    }

    #[test]
    fn a_folder_or_file_that_cannot_be_read_deletes_nothing() {
        let mut files = Files::default();
        files.update(scan(&[("x/a.yaml", &router("a", "a")), ("b.yaml", &router("b", "b"))]));
        let mut lost = scan(&[]);
        lost.unreachable.push(("x".into(), "permission denied".into()));
        lost.files.insert("b.yaml".into(), Err("input/output error".into()));
        assert!(files.update(lost));
        assert_eq!(objects(&files), ["MetaRouter shop/b", "MetaRouter shop/a"]);
        assert_eq!(
            said(&files),
            [
                "x: error: permission denied; what its files said before stays in force",
                "b.yaml: error: input/output error; what this file said before stays in force"
            ]
        );
    }

    #[test]
    fn a_mistake_in_one_object_leaves_the_others_of_its_file() {
        let mut files = Files::default();
        let text = format!("{}---\n{}", router("good", "a"), router("bad", "[b]"));
        files.update(scan(&[("a.yaml", &text)]));
        assert_eq!(objects(&files), ["MetaRouter shop/good"]);
        assert_eq!(
            files.batch().broken.iter().map(|broken| broken.key.to_string()).collect::<Vec<_>>(),
            ["MetaRouter shop/bad"]
        );
        assert_eq!(
            said(&files),
            ["a.yaml:9:16: error: MetaRouter shop/bad: spec.hosts[0]: must be a string, not a list"]
        );
    }

    #[test]
    fn a_document_that_is_nobodys_keeps_the_file_as_it_was() {
        let mut files = Files::default();
        let text = format!("{}---\nspec: {{}}\n", router("a", "a"));
        files.update(scan(&[("a.yaml", &text)]));
        assert_eq!(objects(&files), ["MetaRouter shop/a"], "at start the rest is served");
        let text = format!("{}---\nspec: {{}}\n", router("b", "b"));
        files.update(scan(&[("a.yaml", &text)]));
        assert_eq!(objects(&files), ["MetaRouter shop/a"]);
        assert_eq!(
            said(&files),
            ["a.yaml:6:1: error: the document has no kind; it needs one, such as `kind: MetaRouter`; \
              what this file said before stays in force"]
        );
    }

    #[test]
    fn an_object_that_stands_twice_is_taken_once() {
        let mut files = Files::default();
        files.update(scan(&[("a.yaml", &router("a", "first")), ("b.yaml", &router("a", "second"))]));
        assert_eq!(objects(&files), ["MetaRouter shop/a"]);
        assert_eq!(
            said(&files),
            [
                "b.yaml:1:1: error: MetaRouter shop/a: stands already at a.yaml:1, which is in force; remove one of them"
            ]
        );
    }

    #[test]
    fn bytes_that_are_not_text_are_a_mistake_with_a_place() {
        let mut files = Files::default();
        let mut scan = scan(&[]);
        scan.files.insert("a.yaml".into(), Ok(b"a: 1\nb: \xff\n".to_vec()));
        files.update(scan);
        assert_eq!(said(&files), ["a.yaml:2:4: error: this is not UTF-8 text"]);
    }

    #[test]
    fn documents_that_are_nobodys_are_named() {
        let rows = [
            (
                "just text",
                "a.yaml:1:1: error: a document must be an object with apiVersion and kind, not a string",
            ),
            (
                "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRouter\nspec: {}",
                "a.yaml:1:1: error: this MetaRouter has no metadata.name; it needs one",
            ),
            (
                "apiVersion: metaprotocol.aeraki.io/v1\nkind: MetaRouter\nmetadata: {name: a}",
                "a.yaml:1:13: error: apiVersion of a MetaRouter must be metaprotocol.aeraki.io/v1alpha1, \
                 not \"metaprotocol.aeraki.io/v1\"",
            ),
            (
                "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: MetaRuoter\nmetadata: {name: a}",
                "a.yaml:2:7: error: metaprotocol.aeraki.io has no kind MetaRuoter (did you mean `MetaRouter`?)",
            ),
            (
                "apiVersion: redis.aeraki.io/v1alpha1\nkind: RedisService\nmetadata: {name: a}",
                "a.yaml:1:1: warning: kind RedisService is not supported yet, so this object has no effect",
            ),
        ];
        for (text, expected) in rows {
            let mut files = Files::default();
            files.update(scan(&[("a.yaml", text)]));
            assert_eq!(said(&files), [expected]);
        }
    }

    #[test]
    fn kinds_that_are_not_used_are_passed_over() {
        let mut files = Files::default();
        files.update(scan(&[(
            "a.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\n",
        )]));
        assert!(objects(&files).is_empty());
        assert!(said(&files).is_empty());
    }

    #[test]
    fn a_list_is_read_item_by_item() {
        let item = router("a", "a").replace('\n', "\n  ");
        let mut files = Files::default();
        files.update(scan(&[("a.yaml", &format!("apiVersion: v1\nkind: List\nitems:\n- {item}"))]));
        assert_eq!(objects(&files), ["MetaRouter shop/a"]);
    }
}
