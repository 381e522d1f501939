//! What each route takes and answers, said once beside it: the router is built from these descriptions, and so are
//! `docs/api.openapi.json` and `docs/api.md`. A route that is not described cannot be added.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Adds a type to the document's schemas and refers to it.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The methods that routes have. `HEAD` is answered wherever `GET` is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    Get,
    Post,
}

impl Method {
    /// As OpenAPI writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

/// Who is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Access {
    /// Everybody who reaches the agent: a supervisor that asks whether it lives has no password.
    Everybody,
    /// Who may read: everybody where the web configuration has no users, else one of them.
    Readers,
    /// Who may change something: a user of the web configuration, or, where there are none, who shows the control token.
    Controllers,
}

/// One route with one method.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    /// Its name for programs: generated clients call their function so.
    pub id: &'static str,
    pub method: Method,
    /// With its parameters in braces.
    pub path: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What else there is to know, in Markdown.
    pub description: &'static str,
    pub access: Access,
    /// Name, meaning and example of the parameter in the path.
    pub path_parameter: Option<[&'static str; 3]>,
    /// The query's parameters are the members of this type.
    pub query: Option<SchemaOf>,
    pub responses: &'static [Success],
    /// Errors of its own, beside those that every route may answer.
    pub errors: &'static [Failure],
}

impl Operation {
    pub(crate) const fn get(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            method: Method::Get,
            path,
            summary,
            description: "",
            access: Access::Readers,
            path_parameter: None,
            query: None,
            responses: &[],
            errors: &[],
        }
    }

    pub(crate) const fn post(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self { method: Method::Post, ..Self::get(id, path, summary) }
    }

    pub(crate) const fn description(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    pub(crate) const fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    pub(crate) const fn path_parameter(self, name: &'static str, meaning: &'static str, example: &'static str) -> Self {
        Self { path_parameter: Some([name, meaning, example]), ..self }
    }

    pub(crate) const fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(schema_of::<T>), ..self }
    }

    pub(crate) const fn responses(self, responses: &'static [Success]) -> Self {
        Self { responses, ..self }
    }

    pub(crate) const fn errors(self, errors: &'static [Failure]) -> Self {
        Self { errors, ..self }
    }
}

/// A response that is no error.
pub(crate) struct Success {
    pub status: u16,
    /// What it says.
    pub meaning: &'static str,
    pub content_types: &'static [&'static str],
    pub schema: SchemaOf,
}

impl Success {
    pub(crate) const fn json<T: JsonSchema>(status: u16, meaning: &'static str) -> Self {
        Self { status, meaning, content_types: &["application/json"], schema: schema_of::<T> }
    }

    pub(crate) const fn text(meaning: &'static str, content_types: &'static [&'static str]) -> Self {
        Self { status: 200, meaning, content_types, schema: schema_of::<String> }
    }
}

/// Errors with one status: which codes, and when.
pub(crate) struct Failure {
    pub status: u16,
    pub codes: &'static [&'static str],
    /// When, and what would help.
    pub when: &'static str,
}

impl Failure {
    pub(crate) const fn new(status: u16, codes: &'static [&'static str], when: &'static str) -> Self {
        Self { status, codes, when }
    }
}

/// A live feed: `/ws/NAME`, and `/api/NAME` with its newest message.
pub(crate) struct FeedDescription {
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub summary: &'static str,
    /// When a message is sent, and when there is none.
    pub description: &'static str,
    /// The message.
    pub message: SchemaOf,
    /// What clients may send beside `set_interval`, and the message that answers it.
    pub requests: &'static [(&'static str, SchemaOf)],
    /// Whether `/api/NAME` answers 503 while there is no reading that is on time. Otherwise the message says what is missing.
    pub needs_reading: bool,
}

impl FeedDescription {
    pub(crate) const fn new<T: JsonSchema>(
        name: &'static str,
        summary: &'static str,
        description: &'static str,
    ) -> Self {
        Self { name, summary, description, message: schema_of::<T>, requests: &[], needs_reading: false }
    }

    pub(crate) const fn needs_reading(self) -> Self {
        Self { needs_reading: true, ..self }
    }

    pub(crate) const fn requests(self, requests: &'static [(&'static str, SchemaOf)]) -> Self {
        Self { requests, ..self }
    }
}

/// Refers to a type, for [`FeedDescription::requests`].
pub(crate) const fn reply<T: JsonSchema>(request: &'static str) -> (&'static str, SchemaOf) {
    (request, schema_of::<T>)
}

/// Routes about one subject, each with its description.
pub(crate) struct Routes<S>(Vec<(Operation, MethodRouter<S>)>);

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a route.
    pub(crate) fn on<H: Handler<T, S>, T: 'static>(mut self, operation: Operation, handler: H) -> Self {
        let filter = match operation.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        self.0.push((operation, on(filter, handler)));
        self
    }

    /// The descriptions.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.0.iter().map(|(operation, _)| *operation).collect()
    }

    /// Each path with what answers there.
    pub(crate) fn handlers(self, state: S) -> Vec<(&'static str, MethodRouter)> {
        self.0.into_iter().map(|(operation, handler)| (operation.path, handler.with_state(state.clone()))).collect()
    }

    /// All of them in a router.
    pub(crate) fn with(self, state: S) -> Router {
        let handlers = self.handlers(state).into_iter();
        handlers.fold(Router::new(), |router, (path, handler)| router.route(path, handler))
    }
}
