//! Schemas: what a field may be, in a line, and each schema of its own with its fields.

use super::text::{escaped, inline};
use serde_json::Value;
use std::fmt::Write;

/// What a reference refers to.
pub fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match name_of(schema) {
        Some(name) => &document["components"]["schemas"][name],
        None => schema,
    }
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"]
        .as_str()?
        .strip_prefix("#/components/schemas/")
}

/// What a value may be, with a link where that is described.
pub fn kind(schema: &Value) -> String {
    if let Some(name) = name_of(schema) {
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let between = if choice == "allOf" { " and " } else { " or " };
            let choices: Vec<_> = choices.iter().map(kind).collect();
            return choices.join(between);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values
            .iter()
            .map(|value| format!("<code>{}</code>", escaped(&value.to_string())))
            .collect();
        return values.join(" or ");
    }
    let kinds: Vec<_> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::String(kind) => vec![kind.as_str()],
        _ => vec!["anything"],
    };
    let name = |name: &str| match name {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}", kind(&schema["additionalProperties"]))
        }
        "string" => schema["format"].as_str().unwrap_or("text").to_owned(),
        name => name.to_owned(),
    };
    let mut kinds: Vec<_> = kinds.into_iter().map(name).collect();
    // What may be null is said last.
    kinds.sort_by_key(|kind| kind == "null");
    kinds.join(" or ")
}

/// What else has to be true of a value: its range, its pattern, what it is by itself.
pub fn limits(schema: &Value) -> String {
    let mut limits = Vec::new();
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Null, Value::Null) => {}
        (from, Value::Null) => limits.push(format!("{from} or more")),
        (Value::Null, to) => limits.push(format!("up to {to}")),
        (from, to) => limits.push(format!("{from} to {to}")),
    }
    if let Some(default) = schema.get("default") {
        limits.push(format!("{} when left out", escaped(&default.to_string())));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        limits.push(format!("<code>{}</code>", escaped(pattern)));
    }
    limits.join(", ")
}

/// The rows of a table of an object's fields; those of all its parts.
pub fn fields(html: &mut String, document: &Value, schema: &Value) {
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fields(html, document, resolved(document, part));
    }
    let required = schema["required"].as_array();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let needed = required.is_some_and(|all| all.iter().any(|needed| needed == name));
        row(html, name, needed, field, about(document, field));
    }
}

/// What a field means: its own words, or else those of what it refers to.
pub fn about<'a>(document: &'a Value, field: &'a Value) -> Option<&'a str> {
    let choices = field["oneOf"].as_array().into_iter().flatten();
    let own = std::iter::once(field).chain(choices);
    let mut own = own.filter_map(|field| field["description"].as_str());
    own.next().or_else(|| {
        let choices = field["oneOf"].as_array().into_iter().flatten();
        let all = std::iter::once(field).chain(choices);
        let mut all = all.filter_map(|field| resolved(document, field)["description"].as_str());
        all.next()
    })
}

pub fn row(html: &mut String, name: &str, needed: bool, schema: &Value, about: Option<&str>) {
    let limits = limits(schema);
    let _ = write!(
        html,
        "<tr><th scope=\"row\"><code>{}</code>{}</th><td>{}{}</td><td>{}</td></tr>",
        escaped(name),
        if needed {
            ""
        } else {
            " <span class=\"optional\">optional</span>"
        },
        kind(schema),
        if limits.is_empty() {
            String::new()
        } else {
            format!("<div class=\"limits\">{limits}</div>")
        },
        inline(about.unwrap_or_default()),
    );
}

pub fn write_all(html: &mut String, document: &Value) {
    html.push_str(
        "<section class=\"tag\" aria-labelledby=\"schemas\"><h2 id=\"schemas\">Schemas</h2>",
    );
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let _ = write!(
            html,
            "<article id=\"schema-{name}\" class=\"schema\"><h3><a href=\"#schema-{name}\">{name}</a></h3>{}",
            super::text::paragraphs(schema["description"].as_str().unwrap_or_default()),
        );
        let mut rows = String::new();
        fields(&mut rows, document, schema);
        if rows.is_empty() {
            let limits = limits(schema);
            let between = if limits.is_empty() { "" } else { ": " };
            let _ = write!(
                html,
                "<p class=\"kind\">{}{between}{limits}</p>",
                kind(schema)
            );
        } else {
            let _ = write!(html, "<div class=\"scrolls\"><table>{rows}</table></div>");
        }
        html.push_str("</article>");
    }
    html.push_str("</section>");
}
