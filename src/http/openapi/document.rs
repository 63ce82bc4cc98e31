//! The OpenAPI document of a listener (OpenAPI 3.1).

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::Endpoint;
use super::headers::header;
use super::operation::{Operation, Parameter, RequestBody, ResponseSpec};
use super::schema::{Schema, Schemas};

/// The document of a table of calls.
#[derive(Serialize)]
pub struct Document {
    openapi: &'static str,
    info: Info,
    servers: [Server; 1],
    components: Components,
    paths: InOrder<InOrder<Described>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<Vec<Requirement>>,
}

impl Document {
    pub fn of<S>(title: &'static str, says: &'static str, endpoints: &[Endpoint<S>]) -> Document {
        let mut schemas = Schemas::new();
        let mut paths: InOrder<InOrder<Described>> = InOrder::default();
        for Endpoint { method, path, describe, .. } in endpoints {
            let operation = describe();
            operation.messages().for_each(|message| schemas.add(message.parts.clone()));
            *paths.entry(path).entry(method) = Described::of(&operation);
        }
        let needed = needed(&paths, &schemas);
        Document {
            openapi: "3.1.0",
            info: Info {
                title,
                version: env!("CARGO_PKG_VERSION"),
                says,
                license: License {
                    name: env!("CARGO_PKG_LICENSE"),
                    identifier: env!("CARGO_PKG_LICENSE"),
                },
            },
            servers: [Server { url: "/".to_owned(), says: "This listener." }],
            components: Components { schemas: needed, security_schemes: None },
            paths,
            security: None,
        }
    }

    /// The same document for a listener that is served below this path.
    pub fn below(mut self, path: String) -> Document {
        self.servers[0].url = path;
        self
    }

    /// The same document where every call takes a credential, but for these methods and paths.
    pub fn with_credential(
        mut self,
        name: &'static str,
        scheme: SecurityScheme,
        open: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Document {
        self.components.security_schemes = Some(InOrder(vec![(name.to_owned(), scheme)]));
        self.security = Some(vec![InOrder(vec![(name.to_owned(), [])])]);
        for (method, path) in open {
            self.paths.entry(path).entry(method).security = Some([]);
        }
        self
    }

    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Info {
    title: &'static str,
    version: &'static str,
    #[serde(rename = "description")]
    says: &'static str,
    license: License,
}

#[derive(Serialize)]
struct License {
    name: &'static str,
    identifier: &'static str,
}

#[derive(Serialize)]
struct Server {
    url: String,
    #[serde(rename = "description")]
    says: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    schemas: InOrder<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_schemes: Option<InOrder<SecurityScheme>>,
}

/// A credential, and what it does not say: scopes.
type Requirement = InOrder<[(); 0]>;

/// How a caller authenticates.
#[derive(Serialize)]
pub struct SecurityScheme {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub scheme: &'static str,
    #[serde(rename = "description")]
    pub says: &'static str,
}

/// A call as it is written down.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    operation_id: &'static str,
    summary: &'static str,
    #[serde(rename = "description")]
    says: &'static str,
    responses: InOrder<Response>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<[(); 0]>,
}

impl Described {
    fn of(operation: &Operation) -> Described {
        let responses = operation
            .answers
            .iter()
            .map(|answer| (answer.status.to_string(), Response::of(answer)))
            .collect();
        let request_body = match &operation.takes {
            RequestBody::Nothing => None,
            RequestBody::Body(message) => Some((true, message)),
            RequestBody::PerhapsBody(message) => Some((false, message)),
        };
        Described {
            operation_id: operation.id,
            summary: operation.summary,
            says: operation.says,
            responses: InOrder(responses),
            parameters: operation.parameters.clone(),
            request_body: request_body.map(|(required, message)| Body {
                required,
                content: content("application/json", &message.schema),
            }),
            security: None,
        }
    }
}

#[derive(Serialize)]
struct Body {
    required: bool,
    content: InOrder<MediaType>,
}

#[derive(Serialize)]
struct MediaType {
    schema: Schema,
}

fn content(media_type: &str, schema: &Schema) -> InOrder<MediaType> {
    InOrder(vec![(media_type.to_owned(), MediaType { schema: schema.clone() })])
}

#[derive(Default, Serialize)]
struct Response {
    #[serde(rename = "description")]
    says: String,
    headers: InOrder<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<InOrder<MediaType>>,
}

impl Response {
    fn of(answer: &ResponseSpec) -> Response {
        let described = |(name, required): &(&'static str, bool)| {
            let (says, schema) = header(name);
            ((*name).to_owned(), Header { says, required: *required, schema })
        };
        Response {
            says: answer.says.clone(),
            headers: InOrder(answer.headers.iter().map(described).collect()),
            content: answer.content.as_ref().map(|(kind, message)| content(kind, &message.schema)),
        }
    }
}

#[derive(Serialize)]
struct Header {
    #[serde(rename = "description")]
    says: &'static str,
    required: bool,
    schema: Schema,
}

/// The schemas that calls refer to, and those that these refer to.
fn needed(paths: &impl Serialize, schemas: &Schemas) -> InOrder<Schema> {
    let mut needed: Vec<(String, Schema)> = Vec::new();
    let mut text = serde_json::to_string(paths).unwrap_or_default();
    loop {
        let is_new = |name: &&str| {
            text.contains(&format!("#/components/schemas/{name}\""))
                && needed.iter().all(|(other, _)| other != name)
        };
        let Some(name) = schemas.names().find(is_new) else { break };
        let Some(schema) = schemas.get(name) else { break };
        text.push_str(&serde_json::to_string(&schema).unwrap_or_default());
        needed.push((name.to_owned(), schema));
    }
    needed.sort_by(|(one, _), (other, _)| one.cmp(other));
    InOrder(needed)
}

/// A map that is written in the order in which it was made.
struct InOrder<T>(Vec<(String, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> InOrder<T> {
        InOrder(Vec::new())
    }
}

impl<T: Default> InOrder<T> {
    /// The value of this name, which is made if it is not there.
    fn entry(&mut self, name: &str) -> &mut T {
        let place = self.0.iter().position(|(other, _)| other == name).unwrap_or(self.0.len());
        if place == self.0.len() {
            self.0.push((name.to_owned(), T::default()));
        }
        &mut self.0[place].1
    }
}

impl<T: Serialize> Serialize for InOrder<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
