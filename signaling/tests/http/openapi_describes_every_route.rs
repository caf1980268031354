//! `/api/openapi.json`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    client::{get, request},
    server::{Server, start},
};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Everything that the node promises.
const ROUTES: [&str; 57] = [
    "DELETE /api/v1/broadcasts/{broadcast}/markers/{id}",
    "DELETE /api/v1/broadcasts/{broadcast}/recording",
    "DELETE /api/v1/channels/{channel}",
    "DELETE /api/v1/sessions/{session}",
    "DELETE /api/v1/sidecars/{id}",
    "DELETE /api/v1/tokens/{id}",
    "DELETE /whep/{channel}/{session}",
    "DELETE /whep/{channel}/{session}/events/{stream}",
    "DELETE /whip/{channel}/{session}",
    "GET /api/v1/broadcasts",
    "GET /api/v1/broadcasts/{broadcast}",
    "GET /api/v1/broadcasts/{broadcast}/audience",
    "GET /api/v1/broadcasts/{broadcast}/chat",
    "GET /api/v1/broadcasts/{broadcast}/markers",
    "GET /api/v1/channels",
    "GET /api/v1/channels/{channel}",
    "GET /api/v1/channels/{channel}/actions",
    "GET /api/v1/channels/{channel}/chat",
    "GET /api/v1/channels/{channel}/recordings",
    "GET /api/v1/events",
    "GET /api/v1/live",
    "GET /api/v1/node",
    "GET /api/v1/recordings/{broadcast}",
    "GET /api/v1/sessions",
    "GET /api/v1/sessions/{session}",
    "GET /api/v1/sidecars",
    "GET /api/v1/tokens",
    "GET /api/v1/webhooks",
    "GET /healthz",
    "GET /hls/{channel}/{path}",
    "GET /metrics",
    "GET /readyz",
    "GET /signed/{signature}/hls/{channel}/{path}",
    "GET /signed/{signature}/vod/{broadcast}/{path}",
    "GET /vod/{broadcast}/{path}",
    "GET /whep/{channel}",
    "GET /whep/{channel}/{session}",
    "GET /whep/{channel}/{session}/events/{stream}",
    "GET /whip/{channel}",
    "GET /whip/{channel}/{session}",
    "HEAD /whep/{channel}",
    "PATCH /api/v1/channels/{channel}",
    "PATCH /whep/{channel}/{session}",
    "PATCH /whip/{channel}/{session}",
    "POST /api/v1/broadcasts/{broadcast}/captions",
    "POST /api/v1/channels",
    "POST /api/v1/channels/{channel}/events",
    "POST /api/v1/channels/{channel}/markers",
    "POST /api/v1/channels/{channel}/reports",
    "POST /api/v1/tokens",
    "POST /whep/{channel}",
    "POST /whep/{channel}/{session}/events",
    "POST /whep/{channel}/{session}/layer",
    "POST /whip/{channel}",
    "PUT /api/v1/broadcasts/{broadcast}/recording",
    "PUT /api/v1/channels/{channel}",
    "PUT /api/v1/sidecars/{id}",
];

async fn description(server: &Server) -> Value {
    let reply = server.send(get("/api/openapi.json")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.get("content-type"), "application/json");
    reply.json()
}

fn operations(description: &Value) -> Vec<(String, String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method.to_lowercase()) {
                all.push((method.to_owned(), path.clone(), operation));
            }
        }
    }
    all
}

#[tokio::test]
async fn it_lists_every_route_and_no_other() {
    let server = start().await;
    let description = description(&server).await;
    let described: BTreeSet<String> = operations(&description)
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(described, ROUTES.iter().map(ToString::to_string).collect());
}

#[tokio::test]
async fn every_route_that_it_lists_is_served_and_no_other_method() {
    let server = start().await;
    let description = description(&server).await;
    for (path, item) in description["paths"].as_object().unwrap() {
        let address = address(path);
        for method in METHODS {
            let described = item.get(method.to_lowercase()).is_some();
            // HEAD comes with every GET.
            if method == "HEAD" && !described {
                continue;
            }
            let status = server.send(request(method, address.as_str())).await.status;
            assert_eq!(status != 405, described, "{method} {address}: {status}");
        }
    }
}

/// An address of that form, of what the server knows.
fn address(path: &str) -> String {
    path.replace("{channel}", "demo")
        .replace("{broadcast}", "b1")
        .replace(['{', '}'], "")
}

#[tokio::test]
async fn every_reference_resolves() {
    let server = start().await;
    let description = description(&server).await;
    let mut references = BTreeSet::new();
    collect_references(&description, &mut references);
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found.insert(reference.clone());
            }
            map.values()
                .for_each(|value| collect_references(value, found));
        }
        Value::Array(list) => list
            .iter()
            .for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

/// The rules of `OpenAPI` 3.1 that a generator is likely to break.
#[tokio::test]
async fn it_is_a_sound_description() {
    let server = start().await;
    let description = description(&server).await;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(description["info"]["version"].is_string());
    assert_eq!(
        description["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    let mut identifiers = BTreeSet::new();
    for (method, path, operation) in operations(&description) {
        let identifier = operation["operationId"].as_str().unwrap().to_owned();
        assert!(
            identifiers.insert(identifier.clone()),
            "{identifier} stands twice"
        );
        assert!(
            !operation["summary"].as_str().unwrap().is_empty(),
            "{method} {path}"
        );
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.is_empty(), "{method} {path}");
        for response in responses.values() {
            assert!(response["description"].is_string(), "{method} {path}");
        }
        assert_eq!(
            path_parameters(operation),
            variables(&path),
            "{method} {path}"
        );
    }
}

fn path_parameters(operation: &Value) -> BTreeSet<String> {
    let none = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap_or(&none);
    let in_path = parameters
        .iter()
        .filter(|parameter| parameter["in"] == "path");
    in_path
        .map(|parameter| {
            assert_eq!(parameter["required"], true);
            parameter["name"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn variables(path: &str) -> BTreeSet<String> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn what_needs_a_token_says_so() {
    let server = start().await;
    let description = description(&server).await;
    for (method, path, operation) in operations(&description) {
        let mut anonymous = request(Box::leak(method.clone().into_boxed_str()), address(&path));
        if method == "POST" && path.starts_with("/wh") {
            anonymous = anonymous.body("application/sdp", crate::server::OFFER);
        }
        let refused = server.send(anonymous).await.status == 401;
        let none = Vec::new();
        let security = operation["security"].as_array().unwrap_or(&none);
        let needed = !security.is_empty() && !security.contains(&serde_json::json!({}));
        assert_eq!(refused, needed, "{method} {path}");
    }
}
