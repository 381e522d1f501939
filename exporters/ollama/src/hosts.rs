//! One entry of `sources.ollama.hosts`: an address, or a section with what it takes to be let in.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{Address, Server, server::Login};

/// Where one server listens, and what a proxy before it asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OllamaHost(Section);

/// One server that is reached through a proxy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Section {
    /// Its address, `http://` or `https://`.
    url: String,
    /// File with the certificates of the authorities to trust, instead of those that the system trusts.
    ca_file: Option<String>,
    /// File that holds a token and nothing else, sent as `Authorization: Bearer`.
    token_file: Option<String>,
    /// Who asks, with `password_file`, sent as `Authorization: Basic`.
    user: Option<String>,
    /// File that holds the password of `user` and nothing else.
    password_file: Option<String>,
}

impl OllamaHost {
    /// The server that is meant, and the key and the message of a mistake.
    ///
    /// # Errors
    /// What is wrong and under which key; under none where the address stands alone.
    pub(crate) fn server(&self) -> Result<Server, (&'static str, String)> {
        let Section { url, ca_file, token_file, user, password_file } = &self.0;
        let address: Address = url.parse().map_err(|problem| (if self.is_plain() { "" } else { "url" }, problem))?;
        if ca_file.is_some() && !address.is_encrypted() {
            return Err(("ca_file", format!("{address} shows no certificate: write https://, or leave ca_file out")));
        }
        let login = match (token_file, user, password_file) {
            (None, None, None) => None,
            (Some(file), None, None) => Some(Login::Token(file.into())),
            (None, Some(user), Some(_)) if user.contains(':') => {
                return Err(("user", "a user of basic authentication has no colon".into()));
            }
            (None, Some(user), Some(file)) => Some(Login::Password { user: user.clone(), file: file.into() }),
            (Some(_), ..) => return Err(("token_file", "either token_file, or user and password_file".into())),
            (None, Some(_), None) => return Err(("user", "a user needs password_file".into())),
            (None, None, Some(_)) => return Err(("password_file", "a password needs user".into())),
        };
        if login.is_some() && !address.is_encrypted() && !address.is_loopback() {
            let message = format!("{address} would get the secret for everybody on the way to read: write https://");
            return Err((if token_file.is_some() { "token_file" } else { "password_file" }, message));
        }
        Ok(Server { address, ca_file: ca_file.as_ref().map(Into::into), login })
    }

    fn is_plain(&self) -> bool {
        self.0 == Section { url: self.0.url.clone(), ..Section::default() }
    }
}

impl From<String> for OllamaHost {
    fn from(url: String) -> Self {
        Self(Section { url, ..Section::default() })
    }
}

impl From<&str> for OllamaHost {
    fn from(url: &str) -> Self {
        url.to_owned().into()
    }
}

impl Serialize for OllamaHost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_plain() { self.0.url.serialize(serializer) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for OllamaHost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OllamaHost;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an address such as http://127.0.0.1:11434, or a section with url")
            }

            fn visit_str<E: Error>(self, url: &str) -> Result<OllamaHost, E> {
                Ok(url.into())
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<OllamaHost, M::Error> {
                let section = Section::deserialize(MapAccessDeserializer::new(map))?;
                if section.url.is_empty() { Err(M::Error::missing_field("url")) } else { Ok(OllamaHost(section)) }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for OllamaHost {
    fn schema_name() -> Cow<'static, str> {
        "OllamaHost".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let section = Section::json_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string" }, section] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(entry: serde_json::Value) -> Result<Server, (&'static str, String)> {
        serde_json::from_value::<OllamaHost>(entry).unwrap().server()
    }

    #[test]
    fn an_entry_is_an_address_or_a_section_and_reads_back_as_it_was_written() {
        for entry in [
            json!("http://box.lan:11434"),
            json!({ "url": "https://box.lan", "ca_file": "/ca.pem", "token_file": "/t", "user": null, "password_file": null }),
        ] {
            let options: OllamaHost = serde_json::from_value(entry.clone()).unwrap();
            assert_eq!(serde_json::to_value(&options).unwrap(), entry);
        }
        let server = server(json!({ "url": "https://box.lan", "user": "me", "password_file": "/p" })).unwrap();
        assert_eq!(server.login, Some(Login::Password { user: "me".into(), file: "/p".into() }));
        for wrong in [json!({ "ca_file": "x" }), json!({ "url": "a", "token": "x" }), json!(5), json!(["a"])] {
            assert!(serde_json::from_value::<OllamaHost>(wrong.clone()).is_err(), "{wrong} was accepted");
        }
    }

    #[test]
    fn each_mistake_is_found_under_its_key() {
        for (entry, key) in [
            (json!("ftp://box.lan"), ""),
            (json!({ "url": "ftp://box.lan", "token_file": "t" }), "url"),
            (json!({ "url": "http://box.lan", "ca_file": "c" }), "ca_file"),
            (json!({ "url": "http://box.lan", "token_file": "t" }), "token_file"),
            (json!({ "url": "http://box.lan", "user": "u", "password_file": "p" }), "password_file"),
            (json!({ "url": "https://box.lan", "token_file": "t", "user": "u" }), "token_file"),
            (json!({ "url": "https://box.lan", "user": "u" }), "user"),
            (json!({ "url": "https://box.lan", "user": "u:v", "password_file": "p" }), "user"),
            (json!({ "url": "https://box.lan", "password_file": "p" }), "password_file"),
        ] {
            assert_eq!(server(entry.clone()).unwrap_err().0, key, "{entry}");
        }
        assert!(
            server(json!({ "url": "http://127.0.0.1:11434", "token_file": "t" })).is_ok(),
            "it stays on this machine"
        );
    }
}
