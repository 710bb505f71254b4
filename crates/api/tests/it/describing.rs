//! The description of the API: kept beside the code, true to what is served, readable.

use crate::desk::Desk;
use crate::node::{Node, answer};
use reqwest::Method;
use serde_json::{Value, json};
use squareoff_api::document::document;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every operation: its method, its path with something in each place, and what the document says of it.
fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let path: Vec<_> = path
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect();
        let path = path.join("/");
        item.as_object().unwrap().iter().map(move |(method, of)| {
            let method = method.to_uppercase().parse().unwrap();
            (method, path.clone(), of)
        })
    });
    operations.collect()
}

#[test]
fn the_document_is_what_the_code_says() {
    let path = root().join("docs/openapi.json");
    let document = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = written.lines().zip(document.lines());
    let first = lines.find(|(is, should)| is != should);
    assert!(
        written == document,
        "docs/openapi.json is not of today: `make openapi` writes it. First difference: {first:?}"
    );
}

/// What a route is registered with is its description (`routes!`); nothing else registers one.
#[test]
fn no_route_is_registered_without_a_description() {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut sources = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut sources,
    );
    assert!(sources.len() > 30, "the sources are where this test looks");
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        // Tests have routers of their own.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in [".route(", ".nest(", "route_service(", "axum::routing"] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}

#[tokio::test]
async fn what_is_described_is_served_and_nothing_else() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let document = node.read("/v1/openapi.json").await;
    assert_eq!(document, squareoff_api::document::document());
    let operations = operations(&document);
    assert!(operations.len() > 50, "{}", operations.len());
    for (method, path, _) in &operations {
        let said = answer(node.anonymous(method.clone(), path)).await;
        let missing = ["no-such-resource", "method-not-allowed"].contains(&said.problem());
        assert!(!missing, "{method} {path}: {}", said.text);
    }
    for (_, path, _) in &operations {
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ] {
            let described = operations
                .iter()
                .any(|(of, at, _)| *of == method && at == path);
            // A path with a place in it stands for more than one: `/v1/clients/search` for a client too.
            if !described {
                let said = answer(node.request(method.clone(), path)).await;
                let of_another = said.status != 405;
                assert!(
                    !of_another || path.ends_with("/search"),
                    "{method} {path}: {}",
                    said.status
                );
            }
        }
    }
}

#[test]
fn an_operation_says_what_it_does_and_its_name_is_its_own() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{what}: another is called {id}");
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{what} has no summary"
        );
        let tag = &operation["tags"][0];
        let mut tags = document["tags"].as_array().unwrap().iter();
        assert!(
            tags.any(|known| known["name"] == *tag),
            "{what}: {tag} is no group"
        );
        let secured = operation.get("security").is_none();
        let coming_in = [
            "/v1/auth/login",
            "/v1/auth/refresh",
            "/v1/auth/code",
            "/v1/auth/code/login",
            "/v1/auth/enrolment",
            "/v1/auth/enrolment/confirm",
        ];
        let open = !path.starts_with("/v1/")
            || path == "/v1/openapi.json"
            || coming_in.contains(&path.as_str());
        assert_eq!(secured, !open, "{what}");
        assert!(secured || operation["security"] == json!([]), "{what}");
        // Whoever asks for something can be answered once: a search leaves nothing behind, and what coming in gives out is never kept.
        let keyed = operation["parameters"].as_array().into_iter().flatten();
        let keyed = keyed
            .map(|parameter| &parameter["name"])
            .any(|name| name == "Idempotency-Key");
        let without = id == "searchClients" || *tag == "Log-in";
        assert_eq!(method == Method::POST && !without, keyed, "{what}");
    }
}

/// Two types of one name would be one schema.
#[test]
fn what_is_referred_to_is_there() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let unused: Vec<_> = schemas
        .keys()
        .filter(|name| !found.contains(format!("#/components/schemas/{name}").as_str()))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[tokio::test]
async fn the_pages_are_open_and_run_nothing() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    for path in ["/docs", "/problems"] {
        let page = answer(node.anonymous(Method::GET, path)).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self';"),
            "{policy}"
        );
        for word in ["<script", "http://", "https://", " style=", " onclick"] {
            assert!(!page.text.contains(word), "{path} has {word}");
        }
    }
    let style = answer(node.anonymous(Method::GET, "/docs/style.css")).await;
    assert_eq!(
        (style.status, style.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    let (docs, problems) = (
        node.get("/docs").await.text,
        node.get("/problems").await.text,
    );
    for (_, path, operation) in operations(&document()) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(docs.contains(&format!("<article id=\"{id}\">")), "{path}");
        for code in operation["x-problems"].as_array().unwrap() {
            let code = code.as_str().unwrap();
            assert!(
                problems.contains(&format!("<article id=\"{code}\">")),
                "{code}"
            );
        }
    }
}
