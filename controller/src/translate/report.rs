//! Collects what there is to say, each thing once: a service with three ports does not tell one mistake three times.

use std::collections::BTreeSet;

use crate::object::Head;
use crate::status::{Diagnostic, Finding, Reason, Severity};
use crate::tree::FieldPath;

/// What there is to say so far.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeSet<Diagnostic>);

impl Report {
    /// Something that was asked for is not in force.
    pub(crate) fn error(&mut self, object: &Head, path: &FieldPath, finding: impl Into<Finding>) {
        self.0.insert(Diagnostic::of(object, Severity::Error, path.clone(), finding));
    }

    /// In force, but perhaps not what was meant.
    pub(crate) fn warning(&mut self, object: &Head, path: &FieldPath, finding: impl Into<Finding>) {
        self.0.insert(Diagnostic::of(object, Severity::Warning, path.clone(), finding));
    }

    /// Fields of a kind that is not ours and that are not served.
    pub(crate) fn unserved(&mut self, object: &Head) {
        for path in &object.unserved {
            let message = Reason::Unsupported.says("not supported yet, so it has no effect");
            self.0.insert(Diagnostic::of_key(object, Severity::Warning, path.clone(), message));
        }
    }

    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.0.into_iter().collect()
    }
}
