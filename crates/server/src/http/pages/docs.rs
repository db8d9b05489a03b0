//! `/docs`: `openapi.json` as a page, made on the server.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Page;

/// How deep the fields of fields are told: `profile.name` is two.
const DEPTH: usize = 3;

/// The verbs, in the order in which they are told.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// `GET /docs`.
#[derive(Debug, Serialize)]
pub struct Docs {
    name: String,
    version: String,
    description: Vec<String>,
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
struct Group {
    tag: String,
    anchor: String,
    description: Vec<String>,
    operations: Vec<Operation>,
}

#[derive(Debug, Serialize)]
struct Operation {
    anchor: String,
    method: String,
    path: String,
    summary: String,
    description: Vec<String>,
    security: Vec<String>,
    parameters: Vec<Field>,
    bodies: Vec<Body>,
    answers: Vec<Answer>,
}

#[derive(Debug, Serialize)]
struct Field {
    name: String,
    kind: String,
    required: bool,
    meaning: String,
}

#[derive(Debug, Serialize)]
struct Body {
    content_type: String,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Answer {
    status: String,
    meaning: String,
    bodies: Vec<Body>,
}

impl Page for Docs {
    const TEMPLATE: &'static str = "docs";
}

impl Docs {
    /// The page of an `OpenAPI` 3 document. What the document leaves out, the page leaves out.
    pub fn of(openapi: &Value) -> Self {
        let reader = Reader { openapi };
        Self {
            name: text(&openapi["info"]["title"]),
            version: text(&openapi["info"]["version"]),
            description: paragraphs(&openapi["info"]["description"]),
            groups: reader.groups(),
        }
    }
}

struct Reader<'a> {
    openapi: &'a Value,
}

impl<'a> Reader<'a> {
    /// The operations by their first tag: the tags that the document lists in its order, then the others.
    fn groups(&self) -> Vec<Group> {
        let mut by_tag: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
        for (path, item) in object(&self.openapi["paths"]) {
            for method in METHODS {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                let tag = operation["tags"][0].as_str().unwrap_or("other");
                by_tag
                    .entry(tag.to_owned())
                    .or_default()
                    .push(self.operation(method, path, item, operation));
            }
        }
        let listed = self.openapi["tags"].as_array().map_or(&[][..], Vec::as_slice);
        let mut groups = Vec::new();
        for tag in listed {
            let name = text(&tag["name"]);
            if let Some(operations) = by_tag.remove(&name) {
                groups.push(group(name, paragraphs(&tag["description"]), operations));
            }
        }
        groups.extend(
            by_tag
                .into_iter()
                .map(|(tag, operations)| group(tag, Vec::new(), operations)),
        );
        groups
    }

    fn operation(&self, method: &str, path: &str, item: &Value, operation: &Value) -> Operation {
        let security = operation.get("security").unwrap_or(&self.openapi["security"]);
        let both = [&item["parameters"], &operation["parameters"]];
        let answers = object(&operation["responses"]).map(|(status, answer)| {
            let answer = self.resolve(answer);
            Answer {
                status: status.clone(),
                meaning: text(&answer["description"]),
                bodies: self.bodies(&answer["content"]),
            }
        });
        Operation {
            anchor: anchor(&format!("{method} {path}")),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            description: paragraphs(&operation["description"]),
            security: security_of(security),
            parameters: both
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
                .map(|parameter| self.parameter(parameter))
                .collect(),
            bodies: self.bodies(&self.resolve(&operation["requestBody"])["content"]),
            answers: answers.collect(),
        }
    }

    fn parameter(&self, parameter: &Value) -> Field {
        let parameter = self.resolve(parameter);
        let place = match parameter["in"].as_str() {
            Some("query") => ", in the query",
            Some("header") => ", a header",
            Some("path") => ", in the path",
            _ => "",
        };
        Field {
            name: text(&parameter["name"]),
            kind: self.kind(&parameter["schema"]) + place,
            required: parameter["required"].as_bool().unwrap_or(false),
            meaning: text(&parameter["description"]),
        }
    }

    fn bodies(&self, content: &Value) -> Vec<Body> {
        object(content)
            .map(|(content_type, media)| {
                let mut fields = Vec::new();
                self.fields(&media["schema"], "", DEPTH, &mut fields);
                Body {
                    content_type: content_type.clone(),
                    fields,
                }
            })
            .collect()
    }

    /// The fields of a schema and of what is in them: `items[].id`.
    fn fields(&self, schema: &'a Value, prefix: &str, depth: usize, out: &mut Vec<Field>) {
        let schema = self.plain(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.fields(part, prefix, depth, out);
        }
        if schema.get("items").is_some() {
            let inside = format!("{}[].", prefix.trim_end_matches('.'));
            self.fields(&schema["items"], &inside, depth, out);
        }
        if depth == 0 {
            return;
        }
        let required = schema["required"].as_array();
        for (name, field) in object(&schema["properties"]) {
            let described = self.plain(field);
            let own = text(&field["description"]);
            out.push(Field {
                name: format!("{prefix}{name}"),
                kind: self.kind(field),
                required: required.is_some_and(|all| all.iter().any(|one| one == name)),
                meaning: if own.is_empty() {
                    text(&described["description"])
                } else {
                    own
                },
            });
            self.fields(field, &format!("{prefix}{name}."), depth - 1, out);
        }
    }

    /// A schema's type in a few words.
    fn kind(&self, schema: &Value) -> String {
        let schema = self.plain(schema);
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values.iter().map(text).collect();
            return values.join(" | ");
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds
                .iter()
                .find(|kind| *kind != "null")
                .map_or("", |kind| kind.as_str().unwrap_or("")),
            kind => kind.as_str().unwrap_or(""),
        };
        match (kind, schema["format"].as_str()) {
            ("array", _) => format!("list of {}", self.kind(&schema["items"])),
            ("", _) if schema.get("allOf").is_some() || schema.get("properties").is_some() => "object".into(),
            ("", _) => "any".into(),
            (kind, Some(format)) => format!("{kind} ({format})"),
            (kind, None) => kind.to_owned(),
        }
    }

    /// Through references, and through `oneOf: [null, it]`, which is how an optional one is written.
    fn plain<'b>(&'b self, schema: &'b Value) -> &'b Value {
        let schema = self.resolve(schema);
        for choices in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[choices].as_array() {
                let mut real = choices.iter().filter(|choice| choice["type"] != "null");
                if let (Some(only), None) = (real.next(), real.next()) {
                    return self.resolve(only);
                }
            }
        }
        schema
    }

    fn resolve<'b>(&'b self, value: &'b Value) -> &'b Value {
        let target = value["$ref"]
            .as_str()
            .and_then(|reference| self.openapi.pointer(reference.strip_prefix('#')?));
        target.unwrap_or(value)
    }
}

fn group(tag: String, description: Vec<String>, operations: Vec<Operation>) -> Group {
    Group {
        anchor: anchor(&tag),
        tag,
        description,
        operations,
    }
}

fn security_of(security: &Value) -> Vec<String> {
    security
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(object)
        .map(|(scheme, scopes)| {
            let scopes: Vec<String> = scopes.as_array().into_iter().flatten().map(text).collect();
            if scopes.is_empty() {
                scheme.clone()
            } else {
                format!("{scheme}: {}", scopes.join(" "))
            }
        })
        .collect()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().trim().to_owned()
}

/// A description cut at its blank lines.
fn paragraphs(value: &Value) -> Vec<String> {
    text(value)
        .split("\n\n")
        .map(|paragraph| paragraph.trim().to_owned())
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

fn anchor(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_lists_and_options_become_fields() {
        let docs = Docs::of(&json!({
            "info": { "title": "Gatepost", "version": "0.1.0", "description": "One.\n\nTwo." },
            "tags": [{ "name": "users", "description": "Accounts." }],
            "paths": { "/api/users/{id}": { "patch": {
                "tags": ["users"], "summary": "Change",
                "security": [{ "api_key": ["users:write"] }],
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
                "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Change" } } } },
                "responses": { "200": { "description": "The user." } },
            } } },
            "components": { "schemas": {
                "Change": { "type": "object", "required": ["names"], "properties": {
                    "names": { "type": "array", "items": { "$ref": "#/components/schemas/Name" } },
                    "locale": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Locale" }], "description": "Language." },
                } },
                "Name": { "type": "object", "properties": { "first": { "type": ["string", "null"], "format": "name" } } },
                "Locale": { "type": "string", "enum": ["en", "ru"] },
            } },
        }));
        assert_eq!(docs.description, ["One.", "Two."]);
        let operation = &docs.groups[0].operations[0];
        assert_eq!(operation.security, ["api_key: users:write"]);
        assert_eq!(operation.anchor, "patch-api-users-id");
        let mut fields: Vec<String> = operation.bodies[0]
            .fields
            .iter()
            .map(|f| format!("{} {} {}", f.name, f.kind, f.required))
            .collect();
        fields.sort();
        assert_eq!(
            fields,
            [
                "locale en | ru false",
                "names list of object true",
                "names[].first string (name) false"
            ]
        );
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let schema = json!({ "$ref": "#/components/schemas/Tree" });
        let docs = Docs::of(&json!({
            "paths": { "/t": { "get": { "responses": { "200": { "description": "",
                "content": { "application/json": { "schema": schema } } } } } } },
            "components": { "schemas": { "Tree": { "type": "object", "properties": {
                "children": { "type": "array", "items": schema } } } } },
        }));
        assert_eq!(
            docs.groups[0].operations[0].answers[0].bodies[0].fields.len(),
            DEPTH
        );
    }
}
