//! An example of a schema, made of the examples of its parts.

use super::schema::resolved;
use serde_json::{Map, Value, json};

/// How deep an example goes: no schema of ours contains itself, and one that did would end here.
const DEPTH_MAX: u8 = 12;

pub fn of(document: &Value, schema: &Value) -> Value {
    made(document, schema, DEPTH_MAX)
}

fn made(document: &Value, schema: &Value, depth: u8) -> Value {
    let schema = resolved(document, schema);
    let given = schema.get("example").or_else(|| schema["examples"].get(0));
    if let Some(example) = given {
        return example.clone();
    }
    if depth == 0 {
        return Value::Null;
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(fields) = made(document, part, depth - 1) {
                whole.extend(fields);
            }
        }
        return Value::Object(whole);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let chosen = choices.iter().find(|choice| choice["type"] != "null");
        return chosen.map_or(Value::Null, |choice| made(document, choice, depth - 1));
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(fields) = schema["properties"].as_object() {
        let fields = fields.iter();
        return fields
            .map(|(name, field)| (name.clone(), made(document, field, depth - 1)))
            .collect::<Map<_, _>>()
            .into();
    }
    simple(document, schema, depth)
}

fn simple(document: &Value, schema: &Value, depth: u8) -> Value {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned(),
        kind => Some(kind.clone()),
    };
    match kind.as_ref().and_then(Value::as_str) {
        Some("array") => json!([made(document, &schema["items"], depth - 1)]),
        Some("object") => match schema.get("additionalProperties") {
            Some(Value::Object(_)) => {
                json!({ "…": made(document, &schema["additionalProperties"], depth - 1) })
            }
            _ => json!({}),
        },
        Some("integer") => json!(1),
        Some("number") => json!(0.5),
        Some("boolean") => json!(true),
        Some("string") if schema["format"] == "uuid" => {
            json!("6d1c2f0e-7a31-5c0b-8f2d-3f1f0a7be411")
        }
        Some("string") => json!("…"),
        _ => Value::Null,
    }
}
