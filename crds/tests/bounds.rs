//! Everything in our definitions that can grow has a bound: an API server estimates the cost of rules by these.

use crds::{JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool};

/// Paths below `schema` that may grow without a bound.
fn unbounded(schema: &JSONSchemaProps, path: &str, found: &mut Vec<String>) {
    let is_bounded = match schema.type_.as_deref() {
        Some("string") => schema.max_length.is_some() || schema.enum_.is_some(),
        Some("array") => schema.max_items.is_some(),
        Some("object") => schema.additional_properties.is_none() || schema.max_properties.is_some(),
        Some("integer") => schema.minimum.is_some(),
        Some(_) => true,
        // Of one type or another: whoever reads it bounds it.
        None => schema.x_kubernetes_preserve_unknown_fields == Some(true),
    };
    if !is_bounded {
        found.push(path.to_owned());
    }
    for (name, property) in schema.properties.iter().flatten() {
        unbounded(property, &format!("{path}.{name}"), found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        unbounded(item, &format!("{path}[]"), found);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
        unbounded(value, &format!("{path}.*"), found);
    }
}

#[test]
fn every_string_list_and_map_of_a_spec_has_a_bound() {
    let mut found = Vec::new();
    for definition in crds::definitions() {
        let properties = definition.schema().properties.as_ref().unwrap();
        unbounded(&properties["spec"], &definition.file_name(), &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}
