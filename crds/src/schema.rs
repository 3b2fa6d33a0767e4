//! Pieces of schema that several kinds share and that the derive cannot say.
//!
//! Each is structural as Kubernetes defines it: one `type`, no `$ref`, bounds on everything that can grow.

use schemars::{Schema, SchemaGenerator, json_schema};

/// An object of any content, kept as it is: its schema is the codec's business.
pub(crate) fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "nullable": true, "x-kubernetes-preserve-unknown-fields": true })
}

/// A value that is of one type or another, which no structural schema can say: its reader checks it.
pub(crate) fn of_any_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// A map of labels: at most 64 pairs, values of at most 63 characters (Kubernetes' own limit for label values).
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "string", "maxLength": 63 }
    })
}
