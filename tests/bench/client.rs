//! A client that costs little: one kept connection, one buffer, nothing decoded that need not be.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

const HEAD_END: &[u8] = b"\r\n\r\n";

/// A connection that is kept.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What is said of who asks, if anything.
    pub(crate) authorization: Option<&'static str>,
}

/// An answer, as it came.
pub(crate) struct Response<'b> {
    pub(crate) status: u16,
    /// Head and body; the body's chunks, if it came in chunks, with their lengths.
    bytes: &'b [u8],
    /// Length of the body alone.
    pub(crate) length: usize,
}

impl Response<'_> {
    pub(crate) fn contains(&self, needle: &str) -> bool {
        self.bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    }

    /// Length of head and body.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[self.bytes.len().saturating_sub(self.length)..]).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { stream, buffer: vec![0; 256 << 10], authorization: None })
    }

    /// Asks for `path`, with Prometheus's kind of compression if told so.
    pub(crate) fn get(&mut self, path: &str, coding: Option<&str>) -> Result<Response<'_>> {
        let coding = coding.map(|coding| format!("Accept-Encoding: {coding}\r\n")).unwrap_or_default();
        let user = self.authorization.map(|user| format!("Authorization: {user}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n\
             Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n{coding}{user}\r\n"
        );
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..])?;
            ensure!(read > 0, "the connection was closed in the middle of an answer");
            filled += read;
            if let Some((status, length)) = complete(&self.buffer[..filled])? {
                return Ok(Response { status, bytes: &self.buffer[..filled], length });
            }
        }
    }

    /// Becomes a live feed's client, as a browser's page does, and reads what comes until `going` says no.
    pub(crate) fn listen(mut self, path: &str, mut going: impl FnMut() -> bool) -> Result<u64> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(self.stream.try_clone()?);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            ensure!(reader.read_line(&mut line)? > 0, "the feed was refused");
        }
        let mut total = 0;
        let mut payload = Vec::new();
        while going() {
            let mut head = [0; 2];
            reader.read_exact(&mut head)?;
            let length = match head[1] {
                126 => u64::from(number(&mut reader, [0; 2]).map(u16::from_be_bytes)?),
                127 => number(&mut reader, [0; 8]).map(u64::from_be_bytes)?,
                short => short.into(),
            };
            payload.resize(length.try_into()?, 0);
            reader.read_exact(&mut payload)?;
            total += length;
            if head[0] == PING {
                // A mask of zeros is a mask, too.
                let mut pong = vec![PONG, 0x80 | u8::try_from(payload.len())?, 0, 0, 0, 0];
                pong.extend_from_slice(&payload);
                self.stream.write_all(&pong)?;
            }
        }
        Ok(total)
    }
}

/// First bytes of whole control frames.
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

fn number<const BYTES: usize>(reader: &mut impl Read, mut bytes: [u8; BYTES]) -> Result<[u8; BYTES]> {
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Status and length of the body, once all of it is there.
fn complete(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END) else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.get(9..12).context("no status")?.parse()?;
    let body = &bytes[end + HEAD_END.len()..];
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    if let Some(length) = field("content-length") {
        let length = length.parse()?;
        return Ok((body.len() >= length).then_some((status, length)));
    }
    match field("transfer-encoding") {
        Some("chunked") => Ok(chunks(body)?.map(|length| (status, length))),
        other => bail!("an answer of unknown length: transfer-encoding {other:?}"),
    }
}

/// Bytes in a body of chunks, once the last is there.
fn chunks(mut body: &[u8]) -> Result<Option<usize>> {
    let mut total = 0;
    loop {
        let Some(end) = body.windows(2).take(20).position(|window| window == b"\r\n") else { return Ok(None) };
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end])?, 16)?;
        let Some(rest) = body.get(end + 2 + length + 2..) else { return Ok(None) };
        if length == 0 {
            return Ok(Some(total));
        }
        total += length;
        body = rest;
    }
}
