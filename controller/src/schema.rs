//! An object against its kind's structural schema, as strictly as an API server with field validation `Strict`.
//!
//! One walk gives the object as JSON (without what the schema does not know, and without `null` where it stands for
//! "absent"), every field that the schema does not know, and every value that it does not allow: all of them at once,
//! each with its path. The schema is the kind's own definition, so it and this check cannot drift apart.

use crds::{JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool};
use serde_json::{Map, Number, Value};

use crate::nearest;
use crate::tree::{Content, Entry, FieldPath, Node};

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Fields that the schema does not know, with what they may have been meant to be.
    pub(crate) unknown: Vec<(FieldPath, String)>,
    /// Values that the schema does not allow, and what it allows.
    pub(crate) invalid: Vec<(FieldPath, String)>,
}

/// Walks `node`, which stands at `path`.
pub(crate) fn check(
    node: &Node,
    schema: &JSONSchemaProps,
    path: &FieldPath,
    findings: &mut Findings,
) -> Value {
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) && schema.properties.is_none() {
        if schema.type_.is_some() && !matches!(node.content, Content::Map(_)) {
            findings
                .invalid
                .push((path.clone(), format!("must be an object, not {}", node.content.type_name())));
        }
        return node.to_json();
    }
    match (&node.content, schema.type_.as_deref()) {
        (Content::Map(entries), Some("object")) => object(entries, schema, path, findings),
        (Content::List(items), Some("array")) => list(items, schema, path, findings),
        (Content::Text(text), Some("string")) => {
            limits(
                text.chars().count(),
                (schema.min_length, schema.max_length),
                "characters",
                path,
                findings,
            );
            choice(text, schema, path, findings);
            Value::String(text.clone())
        }
        (Content::Bool(value), Some("boolean")) => Value::Bool(*value),
        (Content::Number(number), Some("integer" | "number")) => numeric(number, schema, path, findings),
        (content, expected) => {
            findings.invalid.push((path.clone(), mismatch(content, expected)));
            Value::Null
        }
    }
}

fn object(entries: &[Entry], schema: &JSONSchemaProps, path: &FieldPath, findings: &mut Findings) -> Value {
    let mut map = Map::new();
    limits(entries.len(), (schema.min_properties, schema.max_properties), "entries", path, findings);
    for Entry { key, value, .. } in entries {
        let at = path.field(key);
        let known = schema.properties.as_ref().and_then(|properties| properties.get(key));
        let checked = match (known, &schema.additional_properties) {
            // As an API server does: where `null` says nothing, it is as if the field were absent.
            (Some(_), _) if value.content == Content::Null => continue,
            (Some(known), _) => check(value, known, &at, findings),
            (None, Some(JSONSchemaPropsOrBool::Schema(any))) => check(value, any, &at, findings),
            (None, Some(JSONSchemaPropsOrBool::Bool(true))) => value.to_json(),
            _ => {
                findings.unknown.push((at, unknown(key, schema)));
                continue;
            }
        };
        map.insert(key.clone(), checked);
    }
    for required in schema.required.iter().flatten() {
        if !map.contains_key(required) {
            findings.invalid.push((path.field(required), "is missing".to_owned()));
        }
    }
    Value::Object(map)
}

fn list(items: &[Node], schema: &JSONSchemaProps, path: &FieldPath, findings: &mut Findings) -> Value {
    limits(items.len(), (schema.min_items, schema.max_items), "items", path, findings);
    let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items else {
        return Value::Array(items.iter().map(Node::to_json).collect());
    };
    Value::Array(
        items.iter().enumerate().map(|(i, item)| check(item, each, &path.index(i), findings)).collect(),
    )
}

fn numeric(number: &Number, schema: &JSONSchemaProps, path: &FieldPath, findings: &mut Findings) -> Value {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let below = schema.minimum.is_some_and(|minimum| value < minimum);
    let above = schema.maximum.is_some_and(|maximum| value > maximum);
    let whole = schema.type_.as_deref() == Some("integer");
    if whole && value.fract() != 0.0 {
        findings.invalid.push((path.clone(), format!("must be a whole number, not {number}")));
    } else if below || above {
        let bounds = match (schema.minimum, schema.maximum) {
            (Some(minimum), Some(maximum)) => format!("must be between {minimum} and {maximum}"),
            (Some(minimum), None) => format!("must be at least {minimum}"),
            (_, maximum) => format!("must be at most {}", maximum.unwrap_or(f64::INFINITY)),
        };
        findings.invalid.push((path.clone(), format!("{bounds}, not {number}")));
    } else if whole && !number.is_i64() && !number.is_u64() {
        // `1e3` is a whole number, but not written as one; what follows wants an integer.
        return Value::Number((value as i64).into());
    }
    Value::Number(number.clone())
}

fn limits(
    size: usize,
    (least, most): (Option<i64>, Option<i64>),
    what: &str,
    path: &FieldPath,
    findings: &mut Findings,
) {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let (least, most) = (least.unwrap_or(0), most.unwrap_or(i64::MAX));
    let message = match () {
        () if size < least && size == 0 => "must not be empty".to_owned(),
        () if size < least => format!("has {size} {what}, must have at least {least}"),
        () if size > most => format!("has {size} {what}, must have at most {most}"),
        () => return,
    };
    findings.invalid.push((path.clone(), message));
}

/// A text of which only some are allowed.
fn choice(text: &str, schema: &JSONSchemaProps, path: &FieldPath, findings: &mut Findings) {
    let Some(allowed) = &schema.enum_ else { return };
    let allowed: Vec<&str> = allowed.iter().filter_map(|value| value.0.as_str()).collect();
    if !allowed.contains(&text) {
        let hint = nearest::hint(text, allowed.iter().copied());
        let message = format!("must be {}, not {text:?}{hint}", allowed.join(" or "));
        findings.invalid.push((path.clone(), message));
    }
}

fn mismatch(content: &Content, expected: Option<&str>) -> String {
    let expected = match expected {
        Some("object") => "an object",
        Some("array") => "a list",
        Some("string") => "a string",
        Some("boolean") => "true or false",
        Some("integer") => "a whole number",
        _ => "a number",
    };
    let advice = match content {
        Content::Number(_) | Content::Bool(_) if expected == "a string" => "; put it in quotes",
        Content::Text(_) if expected != "an object" && expected != "a list" => "; write it without quotes",
        Content::Null if expected == "an object" => "; `{}` is an empty object",
        _ => "",
    };
    format!("must be {expected}, not {}{advice}", content.type_name())
}

fn unknown(key: &str, schema: &JSONSchemaProps) -> String {
    let known: Vec<&str> = schema.properties.iter().flatten().map(|(name, _)| name.as_str()).collect();
    match nearest::nearest(key, known.iter().copied()) {
        Some(meant) => format!("no such field (did you mean `{meant}`?)"),
        None => format!("no such field; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crds::Definition;

    use super::*;

    /// What is said about a `MetaRouter`'s spec.
    fn findings(spec: &str) -> Vec<String> {
        let node = Node::of_json(&serde_saphyr::from_str(spec).unwrap());
        let definition = Definition::of_kind("MetaRouter").unwrap();
        let schema = &definition.schema().properties.as_ref().unwrap()["spec"];
        let mut findings = Findings::default();
        check(&node, schema, &FieldPath::spec(), &mut findings);
        let Findings { unknown, invalid } = findings;
        unknown.into_iter().chain(invalid).map(|(path, message)| format!("{path}: {message}")).collect()
    }

    #[test]
    fn what_the_schema_allows_passes() {
        let spec = "{hosts: [a], gateways: null, routes: [{match: {attributes: {m: {}}}, route: [{destination: {host: a}}]}], \
                    options: {downstream: {anything: [1, {b: null}]}}}";
        assert_eq!(findings(spec), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_named_with_what_would_be_right() {
        let rows = [
            ("{}", "spec.hosts: is missing"),
            ("{hosts: []}", "spec.hosts: must not be empty"),
            ("{hosts: [a, b]}", "spec.hosts: has 2 items, must have at most 1"),
            ("{hosts: a}", "spec.hosts: must be a list, not a string"),
            ("{hosts: [1]}", "spec.hosts[0]: must be a string, not a number; put it in quotes"),
            ("{hosts: [a], rutes: []}", "spec.rutes: no such field (did you mean `routes`?)"),
            (
                "{hosts: [a], options: {downstream: []}}",
                "spec.options.downstream: must be an object, not a list",
            ),
            (
                "{hosts: [a], routes: [{route: [{destination: {host: a}, weight: 101}]}]}",
                "spec.routes[0].route[0].weight: must be between 0 and 100, not 101",
            ),
            (
                "{hosts: [a], routes: [{route: [{destination: {host: a}, weight: '5'}]}]}",
                "spec.routes[0].route[0].weight: must be a whole number, not a string; write it without quotes",
            ),
            (
                "{hosts: [a], routes: [{route: [{destination: {host: a}, weight: 1.5}]}]}",
                "spec.routes[0].route[0].weight: must be a whole number, not 1.5",
            ),
            (
                "{hosts: [a], routes: [{match: {attributes: {m: }}, route: [{destination: {host: a}}]}]}",
                "spec.routes[0].match.attributes.m: must be an object, not nothing; `{}` is an empty object",
            ),
            (
                "{hosts: [a], routes: [{match: {attributes: {m: {suffix: x}}}, route: [{destination: {host: a}}]}]}",
                "spec.routes[0].match.attributes.m.suffix: no such field; there are exact, not, prefix, present, regex",
            ),
            (
                "{hosts: [a], routes: [{mirrorRequests: write, route: [{destination: {host: a}}]}]}",
                "spec.routes[0].mirrorRequests: must be all or writes, not \"write\" (did you mean `writes`?)",
            ),
        ];
        for (spec, expected) in rows {
            assert_eq!(findings(spec), [expected], "{spec}");
        }
    }
}
