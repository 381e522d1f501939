//! As much of an HTTP client as the tests need: one request a connection, every byte under control.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use crate::TIMEOUT;

/// A connection, with TLS or without.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    host: Option<String>,
    headers: String,
    body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body as it came.
    pub body: Vec<u8>,
}

impl Request {
    /// A request with this method and path.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), host: None, headers: String::new(), body: Vec::new() }
    }

    /// A header beside the usual ones.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }

    /// The `Host` instead of the address.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// A body.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        self.body = text.into();
        self
    }

    /// User and password.
    #[must_use]
    pub fn user(self, user: &str, password: &str) -> Self {
        self.header("Authorization", &format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
    }

    /// What goes over the wire.
    #[must_use]
    pub fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let Self { method, path, headers, body, .. } = self;
        let host = self.host.clone().unwrap_or_else(|| address.to_string());
        let length = body.len();
        let mut bytes =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}").into_bytes();
        if length > 0 || method == "POST" {
            bytes.extend(format!("Content-Length: {length}\r\n").bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }

    /// Sends it on a connection of its own and waits for the response.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn send(&self, address: SocketAddr) -> Response {
        let mut stream = connect(address);
        self.send_on(&mut stream, address)
    }

    /// Sends it on this connection and waits for the response.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn send_on(&self, wire: &mut impl Wire, address: SocketAddr) -> Response {
        wire.write_all(&self.bytes(address)).and_then(|()| wire.flush()).expect("the agent reads requests");
        let response = if self.method == "HEAD" { head(wire) } else { receive(wire) };
        response.unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }
}

/// The response to a GET.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Response {
    Request::new("GET", path).send(address)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(TIMEOUT)).expect("not zero");
    }
    stream
}

/// Reads one response.
///
/// # Errors
/// When the connection ends before the response does, or is silent.
pub fn receive(wire: &mut impl Read) -> io::Result<Response> {
    let mut response = head(wire)?;
    if response.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        response.body = chunks(wire)?;
        return Ok(response);
    }
    match response.header("content-length").and_then(|length| length.parse().ok()) {
        Some(length) => {
            response.body = vec![0; length];
            wire.read_exact(&mut response.body)?;
        }
        None if matches!(response.status, 101 | 204 | 304) => {}
        None => {
            wire.read_to_end(&mut response.body)?;
        }
    }
    Ok(response)
}

/// Reads a response up to its body.
fn head(wire: &mut impl Read) -> io::Result<Response> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        wire.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status line: {head:?}")))?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Ok(Response { status, headers, body: Vec::new() })
}

fn chunks(wire: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&line(wire)?, 16).map_err(io::Error::other)?;
        let begin = body.len();
        body.resize(begin + size, 0);
        wire.read_exact(&mut body[begin..])?;
        line(wire)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn line(wire: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        wire.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

impl Response {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of an error, as `{"error": {"code"}}` has it.
    #[must_use]
    pub fn error_code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Text as it stands in a URL.
#[must_use]
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0, |word, (place, &byte)| word | u32::from(byte) << (16 - 8 * place));
        for letter in 0..4 {
            let index = (word >> (18 - 6 * letter)) as usize & 63;
            text.push(if letter <= chunk.len() { LETTERS[index].into() } else { '=' });
        }
    }
    text
}
