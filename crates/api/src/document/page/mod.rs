//! The description as pages that a browser shows and searches: plain HTML made here, one style sheet, nothing that runs.

mod example;
mod operation;
mod schema;
mod text;

use super::common::operations;
use crate::problem::TYPE_PREFIX;
use crate::problem::known::{Known, SECTIONS};
use serde_json::Value;
use std::fmt::Write;
use text::{escaped, inline, paragraphs};

/// Every operation, group by group, then the schemas.
pub fn docs(document: &Value) -> String {
    let mut body = String::new();
    let info = &document["info"];
    let title = info["title"].as_str().unwrap_or_default();
    let _ = write!(
        body,
        "<nav aria-label=\"Contents\"><p class=\"brand\"><a href=\"#top\">{}</a></p>",
        escaped(title)
    );
    for tag in tags(document) {
        let _ = write!(
            body,
            "<h2><a href=\"#{}\">{}</a></h2><ul>",
            anchor(tag),
            escaped(tag)
        );
        for (path, method, operation) in of_tag(document, tag) {
            let id = operation["operationId"].as_str().unwrap_or_default();
            let _ = write!(
                body,
                "<li><a href=\"#{id}\"><span class=\"method {method}\">{method}</span> {}</a></li>",
                breakable(path.trim_start_matches("/v1"))
            );
        }
        body.push_str("</ul>");
    }
    body.push_str("<h2><a href=\"#schemas\">Schemas</a></h2><h2><a href=\"/problems\">Problems</a></h2></nav><main id=\"top\">");
    let _ = write!(
        body,
        "<h1>{}</h1><p class=\"lead\">Version {} · <a href=\"/v1/openapi.json\">OpenAPI {}</a> · <a href=\"/problems\">problems</a></p>{}",
        escaped(title),
        escaped(info["version"].as_str().unwrap_or_default()),
        escaped(document["openapi"].as_str().unwrap_or_default()),
        paragraphs(info["description"].as_str().unwrap_or_default()),
    );
    for tag in tags(document) {
        let about = document["tags"].as_array().into_iter().flatten();
        let about = about.filter(|about| about["name"] == tag);
        let about = about
            .filter_map(|about| about["description"].as_str())
            .next();
        let _ = write!(
            body,
            "<section class=\"tag\" aria-labelledby=\"{0}\"><h2 id=\"{0}\">{1}</h2><p>{2}</p>",
            anchor(tag),
            escaped(tag),
            inline(about.unwrap_or_default())
        );
        for (path, method, operation) in of_tag(document, tag) {
            operation::write(&mut body, document, path, method, operation);
        }
        body.push_str("</section>");
    }
    schema::write_all(&mut body, document);
    body.push_str("</main>");
    page(title, &body)
}

/// Every type of problem, section by section.
pub fn problems() -> String {
    let mut body = String::from(
        "<nav aria-label=\"Contents\"><p class=\"brand\"><a href=\"/docs\">Squareoff API</a></p>",
    );
    for section in SECTIONS {
        let _ = write!(
            body,
            "<h2><a href=\"#{}\">{}</a></h2><ul>",
            anchor(section.title),
            short(section.title)
        );
        for known in section.known {
            let _ = write!(body, "<li><a href=\"#{0}\">{0}</a></li>", known.code);
        }
        body.push_str("</ul>");
    }
    body.push_str(
        "</nav><main id=\"top\"><h1>Problems</h1><p class=\"lead\">Every answer that is not a success is \
         <code>application/problem+json</code> (RFC 9457). Its <code>type</code> is stable and made for programs; \
         <code>detail</code> is for people. What a rule refuses goes into the audit trail.</p>",
    );
    for section in SECTIONS {
        let _ = write!(
            body,
            "<section class=\"tag\"><h2 id=\"{}\">{}</h2>",
            anchor(section.title),
            escaped(section.title)
        );
        section
            .known
            .iter()
            .for_each(|known| problem(&mut body, known));
        body.push_str("</section>");
    }
    body.push_str("</main>");
    page("Problems of the Squareoff API", &body)
}

fn problem(body: &mut String, known: &Known) {
    let _ = write!(
        body,
        "<article id=\"{code}\"><h3><a href=\"#{code}\">{title}</a> <span class=\"status s{class}\">{status}</span></h3>\
         <p><code>{TYPE_PREFIX}{code}</code></p><dl><dt>When, or its detail</dt><dd>{when}</dd>",
        code = known.code,
        title = escaped(known.title),
        class = known.status / 100,
        status = known.status,
        when = inline(known.when),
    );
    if !known.then.is_empty() {
        let _ = write!(body, "<dt>What to do</dt><dd>{}</dd>", inline(known.then));
    }
    body.push_str("</dl></article>");
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title>\
         <link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body>{body}</body></html>",
        escaped(title)
    )
}

fn tags(document: &Value) -> impl Iterator<Item = &str> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| tag["name"].as_str())
}

fn of_tag<'a>(
    document: &'a Value,
    tag: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    operations(document).filter(move |(_, _, operation)| operation["tags"][0] == tag)
}

fn anchor(title: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    title.chars().map(plain).collect()
}

/// A section's title without what all of them say.
fn short(title: &str) -> String {
    let title = title.replace("Of a request about ", "Of ");
    escaped(title.split(',').next().unwrap_or(&title))
}

/// A path that may be broken behind its slashes.
fn breakable(path: &str) -> String {
    escaped(path).replace('/', "/<wbr>")
}
