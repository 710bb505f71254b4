//! One operation: what it takes, what it gives, and what can go wrong.

use super::schema::{about, kind, row};
use super::text::{escaped, inline, paragraphs};
use super::{breakable, example};
use crate::problem::known::known;
use serde_json::Value;
use std::fmt::Write;

pub fn write(html: &mut String, document: &Value, path: &str, method: &str, operation: &Value) {
    let text = |member: &str| operation[member].as_str().unwrap_or_default();
    let id = text("operationId");
    let _ = write!(
        html,
        "<article id=\"{id}\"><h3><a href=\"#{id}\"><span class=\"method {method}\">{method}</span> {}</a></h3>\
         <p class=\"summary\">{}</p>{}",
        breakable(path),
        inline(text("summary")),
        paragraphs(text("description")),
    );
    parameters(html, document, operation);
    request(html, document, operation);
    responses(html, document, operation);
    problems(html, operation);
    html.push_str("</article>");
}

fn parameters(html: &mut String, document: &Value, operation: &Value) {
    let Some(parameters) = operation["parameters"].as_array() else {
        return;
    };
    html.push_str("<h4>Parameters</h4><div class=\"scrolls\"><table>");
    for parameter in parameters {
        let place = parameter["in"].as_str().unwrap_or_default();
        let schema = &parameter["schema"];
        let of_schema = || about(document, schema);
        let about = parameter["description"].as_str().or_else(of_schema);
        let about = format!(
            "{} ({place})",
            about.unwrap_or_default().trim_end_matches('.')
        );
        let name = parameter["name"].as_str().unwrap_or_default();
        row(
            html,
            name,
            parameter["required"] == true,
            schema,
            Some(about.trim()),
        );
    }
    html.push_str("</table></div>");
}

fn request(html: &mut String, document: &Value, operation: &Value) {
    let Some(body) = operation.get("requestBody") else {
        return;
    };
    let schema = &body["content"]["application/json"]["schema"];
    let optional = if body["required"] == true {
        ""
    } else {
        " <span class=\"optional\">optional</span>"
    };
    let _ = write!(html, "<h4>Body: {}{optional}</h4>", kind(schema));
    show(html, &example::of(document, schema));
}

fn responses(html: &mut String, document: &Value, operation: &Value) {
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let contents = response["content"].as_object().into_iter().flatten();
        for (media, content) in contents.filter(|(media, _)| *media != "application/problem+json") {
            let about = response["description"].as_str().unwrap_or_default();
            let about = about.split("; or `").next().unwrap_or(about);
            let _ = write!(
                html,
                "<h4><span class=\"status s{}\">{status}</span> {}: {} <span class=\"media\">{}</span></h4>",
                &status[..1],
                inline(about),
                kind(&content["schema"]),
                escaped(media),
            );
            if media == "application/json" {
                show(html, &example::of(document, &content["schema"]));
            }
        }
    }
}

fn problems(html: &mut String, operation: &Value) {
    let codes = operation["x-problems"].as_array().into_iter().flatten();
    let mut known: Vec<_> = codes.filter_map(|code| known(code.as_str()?)).collect();
    known.sort_by_key(|known| known.status);
    html.push_str("<h4>Problems</h4><ul class=\"problems\">");
    for known in known {
        let _ = write!(
            html,
            "<li><a href=\"/problems#{code}\" title=\"{}\"><span class=\"status s{}\">{}</span> {code}</a></li>",
            escaped(known.title),
            known.status / 100,
            known.status,
            code = known.code,
        );
    }
    html.push_str("</ul>");
}

fn show(html: &mut String, example: &Value) {
    let text = serde_json::to_string_pretty(example).unwrap_or_default();
    let _ = write!(
        html,
        "<pre tabindex=\"0\"><code>{}</code></pre>",
        escaped(&text)
    );
}
