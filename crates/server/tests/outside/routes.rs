//! The routes, as the program itself describes them.

use gatepost_bench::outside::{Account, Client, Instance, PASSWORD, unknown_address};
use serde_json::{Map, Value, json};

/// One operation of `openapi.json`.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The names of the credentials that it takes; none for an open one.
    pub(crate) security: Vec<String>,
    /// The schema of its JSON body, resolved.
    pub(crate) body: Option<Value>,
    /// The names of its query parameters.
    pub(crate) query: Vec<String>,
}

/// Every operation.
pub(crate) fn all(client: &Client) -> Vec<Route> {
    let api = client.get("/openapi.json").expect(200).json();
    let mut routes = Vec::new();
    for (path, operations) in api["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            if !["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                continue;
            }
            let names = |of: &Value| -> Vec<String> {
                let entries = of.as_array().into_iter().flatten().filter_map(Value::as_object);
                entries
                    .flat_map(|entry| entry.keys().cloned().collect::<Vec<_>>())
                    .collect()
            };
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                security: names(if operation["security"].is_null() {
                    &api["security"]
                } else {
                    &operation["security"]
                }),
                body: operation["requestBody"]["content"]["application/json"]
                    .get("schema")
                    .map(|s| resolve(&api, s)),
                query: parameters
                    .filter(|p| p["in"] == "query")
                    .filter_map(|p| p["name"].as_str().map(str::to_owned))
                    .collect(),
            });
        }
    }
    assert!(routes.len() > 20, "{} routes are described", routes.len());
    routes
}

/// Follows `$ref`, and takes the first of alternatives that has properties.
fn resolve(api: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return resolve(api, &api["components"]["schemas"][name]);
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(schemas) = schema[several].as_array() {
            let all = schemas.iter().map(|schema| resolve(api, schema));
            return all
                .into_iter()
                .find(|schema| schema["properties"].is_object())
                .unwrap_or_else(|| schema.clone());
        }
    }
    schema.clone()
}

impl Route {
    /// The path with an id that exists nowhere.
    pub(crate) fn concrete(&self) -> String {
        let parts = self.path.split('/');
        parts
            .map(|part| if part.starts_with('{') { "no-such-id" } else { part })
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Whether the body may leave out everything.
    pub(crate) fn needs_nothing(&self) -> bool {
        self.required().is_empty()
    }

    pub(crate) fn required(&self) -> Vec<String> {
        let body = self
            .body
            .as_ref()
            .map(|body| body["required"].clone())
            .unwrap_or_default();
        body.as_array()
            .into_iter()
            .flatten()
            .filter_map(|n| n.as_str().map(str::to_owned))
            .collect()
    }

    pub(crate) fn properties(&self) -> Map<String, Value> {
        let body = self
            .body
            .as_ref()
            .map(|body| body["properties"].clone())
            .unwrap_or_default();
        body.as_object().cloned().unwrap_or_default()
    }

    /// A body in which nothing is wrong but what has to be unknown here: tokens, ids.
    pub(crate) fn sample(&self) -> Map<String, Value> {
        let sample = |name: &str| match name {
            "email" | "to_email" | "from_email" => json!(unknown_address()),
            "password" | "current" | "new" => json!(PASSWORD),
            "purpose" => json!("activate"),
            "template_data" | "data" => json!({ "title": "t", "message": "m" }),
            _ => json!("no-such-thing"),
        };
        self.required()
            .iter()
            .map(|name| (name.clone(), sample(name)))
            .collect()
    }
}

/// Credentials of every kind.
pub(crate) struct Keys {
    api_key: String,
    access: String,
}

impl Keys {
    /// An API key that may do everything, and an account's access token.
    pub(crate) fn of(gatepost: &Instance) -> Self {
        let api_key = gatepost.key(&["*"]);
        let client = gatepost.client();
        let account = Account::active(&client, &client.with_bearer(&api_key));
        Self {
            api_key,
            access: account.login(&client).access,
        }
    }

    /// A client with what the route asks for.
    pub(crate) fn client(&self, gatepost: &Instance, route: &Route) -> Client {
        let client = gatepost.client();
        match route.security.first() {
            None => client,
            Some(name) if name.to_lowercase().contains("key") => client.with_bearer(&self.api_key),
            Some(_) => client.with_bearer(&self.access),
        }
    }

    /// A client with the key that may do everything.
    pub(crate) fn everything(&self, gatepost: &Instance) -> Client {
        gatepost.client().with_bearer(&self.api_key)
    }
}
