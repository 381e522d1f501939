//! A client of a live feed, on somebody else's WebSocket library.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    client::{IntoClientRequest, client},
    http::{HeaderName, HeaderValue},
};

use crate::http::{Wire, connect};

/// A connected client.
pub struct Feed {
    socket: WebSocket<Box<dyn Wire>>,
    /// The same connection, to set its timeout; none over TLS.
    stream: Option<TcpStream>,
}

impl Feed {
    /// Connects to the host's feed.
    ///
    /// # Panics
    /// When the agent refuses.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address, "/ws/system", &[]).unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// Connects with these headers beside the usual ones.
    ///
    /// # Errors
    /// The status of the refusal.
    ///
    /// # Panics
    /// When the agent does not answer.
    pub fn try_connect(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let stream = connect(address);
        let copy = stream.try_clone().expect("a second handle");
        let mut feed = Self::over(Box::new(stream), &format!("ws://{address}{path}"), headers)?;
        feed.stream = Some(copy);
        Ok(feed)
    }

    /// Connects over a connection that is there.
    ///
    /// # Errors
    /// The status of the refusal.
    ///
    /// # Panics
    /// When the agent does not answer.
    pub fn over(wire: Box<dyn Wire>, url: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).expect("a header's name");
            request.headers_mut().insert(name, HeaderValue::try_from(*value).expect("a header's value"));
        }
        match client(request, wire) {
            Ok((socket, _)) => Ok(Self { socket, stream: None }),
            Err(error) => match error {
                tokio_tungstenite::tungstenite::HandshakeError::Failure(Error::Http(response)) => {
                    Err(response.status().as_u16())
                }
                error => panic!("{url}: {error}"),
            },
        }
    }

    /// The next message. Pings are answered on the way.
    ///
    /// # Panics
    /// When the connection ends instead.
    pub fn message(&mut self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// The same as the bytes that came.
    ///
    /// # Panics
    /// When the connection ends instead.
    pub fn text(&mut self) -> String {
        loop {
            match self.socket.read().expect("a message") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }

    /// The next message if it comes within this time.
    ///
    /// # Panics
    /// When the connection ends instead, or over TLS.
    pub fn message_within(&mut self, time: Duration) -> Option<Value> {
        let stream = self.stream.as_ref().expect("a plain connection");
        stream.set_read_timeout(Some(time)).expect("a time");
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(other) => panic!("not a message: {other:?}"),
                Err(Error::Io(_)) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Says something.
    ///
    /// # Panics
    /// When the connection has ended.
    pub fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("an open connection");
    }

    /// Reads until the close frame, and returns its code; none when the connection just ends.
    pub fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends a close frame and waits for that of the agent.
    pub fn leave(mut self) {
        let _ = self.socket.close(None);
        while self.socket.read().is_ok() {}
    }
}
