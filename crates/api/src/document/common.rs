//! What all operations have in common: who may ask, the headers of every answer, and the problems that any request can meet.

use super::values;
use crate::problem::TYPE_PREFIX;
use crate::problem::known::{Known, SECTIONS, known};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::OpenApi;

const ABOUT: &str = "\
Squareoff closes a broker's open positions while the broker's primary trading platform is down.

Money is rupees as text. Quantities are whole units, never lots. Times are RFC 3339; answers are in UTC. Positions of the log are digits \
as text, to be kept and compared.

Every request that asks for something carries an `Idempotency-Key`, save those of coming in: with who asks it names the request for ever. The same key with the \
same request gets the first answer again, with `Idempotency-Replayed: true`; with another request it is refused. So after a lost answer, a \
time-out or a 503: send the same again.

An accepted request answers with its `position`. Give it to a query as `at_least`, and the answer shows at least that.

Every answer that is not a success is a problem (RFC 9457) whose `type` is stable; /problems lists them all. Every answer carries \
`x-request-id`: the caller's, or one made for it.";

/// The groups of operations, in the order of the page.
const TAGS: &[(&str, &str)] = &[
    ("Square-offs", "Closing one position."),
    (
        "Orders",
        "The orders, ours and the primary's, and what is asked of one.",
    ),
    (
        "Positions",
        "Who has what, and what is asked of one position.",
    ),
    (
        "Clients",
        "Who the clients are; identities are masked, and shown in the clear only behind a recorded reason.",
    ),
    (
        "Approvals",
        "Orders worth more than one person may place: they wait for a second.",
    ),
    (
        "Bulk",
        "Many positions squared off at once, proposed by one person and approved by another.",
    ),
    (
        "Platform",
        "The platform's life and its switches. What needs two people is asked for by one and approved by another; anybody may turn it down.",
    ),
    (
        "Trades",
        "What was traded, and what the drop copy says of it.",
    ),
    ("Suspense", "What the exchange reports and fits no order."),
    ("Incidents", "What the regulator's report is made of."),
    ("Audit", "Who did what, and the proof of it."),
    ("Log-in", "Coming in, going on, going away."),
    ("People", "Who may come in, and who is in."),
    ("Log", "The events themselves."),
    ("Live", "What changes, as it changes."),
    ("Health", "For those who watch the process."),
    ("Documentation", "This description."),
];

pub fn complete(described: OpenApi) -> Value {
    let mut document = serde_json::to_value(described).expect("a description is JSON");
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Squareoff API",
        "version": "1",
        "description": ABOUT,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/" }]);
    let tag =
        |(name, description): &(&str, &str)| json!({ "name": name, "description": description });
    document["tags"] = TAGS.iter().map(tag).collect();
    document["security"] = json!([{ "token": [] }, { "cookie": [] }]);
    let mut met = BTreeSet::new();
    for (_, _, operation) in operations_mut(&mut document) {
        add_common(operation, &mut met);
        // None at all, which is said otherwise than that one is optional: generators make another client of it.
        if operation.get("security").is_some() {
            operation["security"] = json!([]);
        }
    }
    components(&mut document, &met);
    document
}

/// Every operation with its path and method.
pub fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn operations_mut(document: &mut Value) -> impl Iterator<Item = (&String, &String, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object_mut().into_iter().flatten();
        methods.map(move |(method, operation)| (path as &String, method, operation))
    })
}

fn add_common(operation: &mut Value, met: &mut BTreeSet<&'static str>) {
    let problems = problems_of(operation);
    let keyed = has_parameter(operation, "Idempotency-Key");
    for (status, response) in responses_mut(operation) {
        let mut headers = json!({ "x-request-id": { "$ref": "#/components/headers/RequestId" } });
        if keyed && status.starts_with('2') {
            headers["Idempotency-Replayed"] = json!({ "$ref": "#/components/headers/Replayed" });
        }
        merge(response, "headers", headers);
    }
    let mut by_status: BTreeMap<u16, Vec<&Known>> = BTreeMap::new();
    for problem in &problems {
        by_status.entry(problem.status).or_default().push(problem);
    }
    for (status, problems) in by_status {
        let response = &mut operation["responses"][status.to_string()];
        let told: Vec<_> = problems
            .iter()
            .map(|problem| format!("`{}`: {}", problem.code, problem.title))
            .collect();
        let told = told.join("; ");
        match response["description"].as_str() {
            Some(before) => response["description"] = json!(format!("{before}; or {told}")),
            None => response["description"] = json!(told),
        }
        let mut headers = json!({ "x-request-id": { "$ref": "#/components/headers/RequestId" } });
        if status == 503 || status == 429 {
            headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
        }
        merge(response, "headers", headers);
        let examples: Map<_, _> = problems
            .iter()
            .map(|problem| {
                let example = format!("#/components/examples/{}", problem.code);
                (problem.code.to_owned(), json!({ "$ref": example }))
            })
            .collect();
        response["content"]["application/problem+json"] = json!({
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples,
        });
    }
    operation["x-problems"] = problems.iter().map(|problem| problem.code).collect();
    met.extend(problems.iter().map(|problem| problem.code));
}

/// What the operation names itself, and what comes of what it takes, in the order of the catalogue.
fn problems_of(operation: &Value) -> Vec<&'static Known> {
    let own = operation["x-problems"].as_array().into_iter().flatten();
    let mut codes: BTreeSet<String> = own.filter_map(Value::as_str).map(str::to_owned).collect();
    let mut add = |more: &[&str]| codes.extend(more.iter().map(|code| (*code).to_owned()));
    add(&["internal-error"]);
    if operation.get("security").is_none() {
        add(&[
            "unauthenticated",
            "not-allowed",
            "csrf-token-wrong",
            "cross-origin",
            "log-in-unavailable",
            "too-many-requests",
            "server-busy",
            "took-too-long",
        ]);
    }
    let parameters = operation["parameters"].as_array();
    let of_url = |parameter: &Value| parameter["in"] == "path" || parameter["in"] == "query";
    if parameters.is_some_and(|all| all.iter().any(of_url)) {
        add(&["invalid-parameter"]);
    }
    if has_parameter(operation, "at_least") {
        add(&["read-model-unavailable", "read-model-behind"]);
    }
    // What takes no body refuses one that says something.
    let unsafe_call =
        has_parameter(operation, "Idempotency-Key") || operation.get("requestBody").is_some();
    if unsafe_call {
        add(&["malformed-request", "body-too-slow", "body-too-large"]);
    }
    if operation.get("requestBody").is_some() {
        add(&["not-json"]);
    }
    if has_parameter(operation, "If-Match") {
        add(&["resource-changed", "invalid-parameter"]);
    }
    if has_parameter(operation, "Idempotency-Key") {
        add(&[
            "idempotency-key-missing",
            "idempotency-key-invalid",
            "idempotency-key-reused",
            "event-log-unavailable",
            "overloaded",
            "busy",
            "outcome-unknown",
        ]);
    }
    let all = SECTIONS.iter().flat_map(|section| section.known);
    let found: Vec<_> = all.filter(|known| codes.remove(known.code)).collect();
    assert!(
        codes.is_empty(),
        "not in the catalogue of problems: {codes:?}"
    );
    found
}

fn components(document: &mut Value, met: &BTreeSet<&'static str>) {
    for (name, schema) in values::all() {
        let schema = serde_json::to_value(schema).expect("a description is JSON");
        document["components"]["schemas"][name] = schema;
    }
    document["components"]["schemas"]["Problem"] = json!({
        "type": "object",
        "description": "What went wrong, RFC 9457. There may be new types; a program that meets an unknown one goes by `status`.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "pattern": format!("^{TYPE_PREFIX}[a-z-]+$"), "description": "Stable, and made for programs." },
            "title": { "type": "string", "description": "The same for every occurrence." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "This occurrence, for a person." },
        },
    });
    let text =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    document["components"]["headers"] = json!({
        "RequestId": text("The caller's, or one made for the request; it is in the API's log lines"),
        "Replayed": text("`true`: the request had been accepted before, and this is the answer that it got then"),
        "RetryAfter": text("Seconds after which another try is worth it"),
    });
    document["components"]["securitySchemes"] = json!({
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The access token of a log-in; where sample log-ins are allowed also what `squareoff token <actor>` prints",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-squareoff",
            "description": "Of a browser's log-in; what changes something carries the log-in's `csrf_token` as `X-CSRF-Token` beside it",
        },
    });
    let example = |code: &&str| {
        let known = known(code)?;
        let value = json!({
            "type": format!("{TYPE_PREFIX}{code}"),
            "title": known.title,
            "status": known.status,
            "detail": known.when,
        });
        Some((
            (*code).to_owned(),
            json!({ "summary": known.title, "value": value }),
        ))
    };
    let examples: Map<_, _> = met.iter().filter_map(example).collect();
    document["components"]["examples"] = Value::Object(examples);
}

pub fn has_parameter(operation: &Value, name: &str) -> bool {
    let parameters = operation["parameters"].as_array();
    parameters.is_some_and(|all| all.iter().any(|parameter| parameter["name"] == name))
}

fn responses_mut(operation: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    operation["responses"].as_object_mut().into_iter().flatten()
}

/// More fields of one of its members.
fn merge(of: &mut Value, member: &str, more: Value) {
    if let Value::Object(more) = more {
        for (name, value) in more {
            of[member][name] = value;
        }
    }
}
