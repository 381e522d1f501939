//! Frames that clients send, taken apart byte by byte: a state machine over bytes that does no I/O.
//!
//! It is strict (RFC 6455, sections 5 to 8) and fails at the first byte that is wrong, with the code that the
//! close frame must carry. However the bytes are cut into pieces, it says the same.

use super::{
    deflate::{Deflate, InflateError},
    frame::{COMPRESSED, FIN, Opcode},
};

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Longest message, in bytes as the client wrote it, all fragments together.
    pub(super) message_bytes: usize,
    /// Whether permessage-deflate was agreed on.
    pub(super) deflate: bool,
}

/// Something that arrived whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    /// The client closes, with its code if it gave one.
    Close(Option<u16>),
}

/// The client broke a rule: the close frame's code and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: u16,
    pub(super) reason: &'static str,
}

const fn protocol(reason: &'static str) -> Violation {
    Violation { code: 1002, reason }
}

const NOT_UTF8: Violation = Violation { code: 1007, reason: "text is not UTF-8" };
const TOO_BIG: Violation = Violation { code: 1009, reason: "message too big" };

/// Longest header that a client writes: two bytes, a 64-bit length, the mask.
const LONGEST_HEADER: usize = 14;

/// Where one client's stream stands. Between two messages it holds nothing and can be dropped.
#[derive(Default)]
pub(super) struct Parser {
    header: Header,
    frame: Option<Frame>,
    message: Option<Message>,
    control: Vec<u8>,
}

#[derive(Default)]
struct Header {
    bytes: [u8; LONGEST_HEADER],
    have: usize,
}

/// The frame whose payload is arriving.
struct Frame {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    length: usize,
    have: usize,
}

/// The message whose fragments are arriving.
struct Message {
    text: bool,
    compressed: bool,
    bytes: Vec<u8>,
    /// So many bytes are whole characters.
    checked: usize,
}

impl Parser {
    /// Whether nothing is pending.
    pub(super) fn is_idle(&self) -> bool {
        self.header.have == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// Takes bytes until something is whole; `None` when they are used up before that.
    ///
    /// # Errors
    /// The rule that was broken. Nothing that follows can be understood.
    pub(super) fn take(
        &mut self,
        input: &mut &[u8],
        rules: Rules,
        deflate: &mut Deflate,
    ) -> Result<Option<Event>, Violation> {
        loop {
            if self.frame.is_none() {
                let Some(frame) = self.header(input, rules)? else { return Ok(None) };
                self.begin(&frame);
                self.frame = Some(frame);
            }
            if !self.payload(input)? {
                return Ok(None);
            }
            if let Some(frame) = self.frame.take()
                && let Some(event) = self.finish(&frame, rules, deflate)?
            {
                return Ok(Some(event));
            }
        }
    }

    /// Collects a header, and judges each of its bytes as soon as it is there.
    fn header(&mut self, input: &mut &[u8], rules: Rules) -> Result<Option<Frame>, Violation> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            let header = &mut self.header;
            header.bytes[header.have] = byte;
            header.have += 1;
            match header.have {
                1 => self.check_first(byte, rules)?,
                2 => self.check_second(byte)?,
                _ => {}
            }
            let header = &self.header;
            let extended = match header.bytes[1] & 0x7F {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            if header.have >= 2 && header.have == 2 + extended {
                self.check_length(extended, rules)?;
            }
            if header.have >= 2 && header.have == 2 + extended + 4 {
                let frame = self.frame_of_header(extended)?;
                self.header.have = 0;
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn check_first(&self, byte: u8, rules: Rules) -> Result<(), Violation> {
        let opcode = Opcode::from_bits(byte & 0x0F).ok_or(protocol("unknown opcode"))?;
        let starts_data = matches!(opcode, Opcode::Text | Opcode::Binary);
        let allowed = if rules.deflate && starts_data { COMPRESSED } else { 0 };
        if byte & 0x70 & !allowed != 0 {
            return Err(protocol("reserved bit set"));
        }
        match (opcode, &self.message) {
            (Opcode::Continuation, None) => Err(protocol("continuation of nothing")),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(protocol("new message inside another")),
            _ if opcode.is_control() && byte & FIN == 0 => Err(protocol("fragmented control frame")),
            _ => Ok(()),
        }
    }

    fn check_second(&self, byte: u8) -> Result<(), Violation> {
        if byte & 0x80 == 0 {
            return Err(protocol("frame without mask"));
        }
        if self.header.bytes[0] & 0x08 != 0 && byte & 0x7F > 125 {
            return Err(protocol("control frame too long"));
        }
        Ok(())
    }

    fn length(&self, extended: usize) -> u64 {
        let bytes = &self.header.bytes;
        if extended == 0 {
            return (bytes[1] & 0x7F).into();
        }
        bytes[2..2 + extended].iter().fold(0, |length, &byte| length << 8 | u64::from(byte))
    }

    fn check_length(&self, extended: usize, rules: Rules) -> Result<(), Violation> {
        let length = self.length(extended);
        let shortest = match extended {
            0 => 0,
            2 => 126,
            _ => 0x1_0000,
        };
        if length < shortest || length > i64::MAX as u64 {
            return Err(protocol("length in the wrong form"));
        }
        let control = self.header.bytes[0] & 0x08 != 0;
        let have = self.message.as_ref().map_or(0, |message| message.bytes.len());
        if !control && length > rules.message_bytes.saturating_sub(have) as u64 {
            return Err(TOO_BIG);
        }
        Ok(())
    }

    fn frame_of_header(&self, extended: usize) -> Result<Frame, Violation> {
        let bytes = &self.header.bytes;
        let mask = &bytes[2 + extended..2 + extended + 4];
        Ok(Frame {
            opcode: Opcode::from_bits(bytes[0] & 0x0F).ok_or(protocol("unknown opcode"))?,
            fin: bytes[0] & FIN != 0,
            mask: [mask[0], mask[1], mask[2], mask[3]],
            length: usize::try_from(self.length(extended)).map_err(|_| TOO_BIG)?,
            have: 0,
        })
    }

    fn begin(&mut self, frame: &Frame) {
        if matches!(frame.opcode, Opcode::Text | Opcode::Binary) {
            self.message = Some(Message {
                text: frame.opcode == Opcode::Text,
                compressed: self.header.bytes[0] & COMPRESSED != 0,
                bytes: Vec::new(),
                checked: 0,
            });
        }
    }

    /// Moves payload from the input to where it belongs; `true` once the frame is whole.
    fn payload(&mut self, input: &mut &[u8]) -> Result<bool, Violation> {
        let Some(frame) = &mut self.frame else { return Ok(false) };
        let (piece, rest) = input.split_at(input.len().min(frame.length - frame.have));
        *input = rest;
        let unmasked = piece.iter().zip(frame.have..).map(|(byte, at)| byte ^ frame.mask[at % 4]);
        frame.have += piece.len();
        match &mut self.message {
            Some(message) if !frame.opcode.is_control() => {
                message.bytes.extend(unmasked);
                message.check()?;
            }
            _ => self.control.extend(unmasked),
        }
        Ok(frame.have == frame.length)
    }

    fn finish(&mut self, frame: &Frame, rules: Rules, deflate: &mut Deflate) -> Result<Option<Event>, Violation> {
        match frame.opcode {
            Opcode::Ping => Ok(Some(Event::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control = Vec::new();
                Ok(Some(Event::Pong))
            }
            Opcode::Close => close(&std::mem::take(&mut self.control)).map(|code| Some(Event::Close(code))),
            _ if !frame.fin => Ok(None),
            _ => self.message.take().map(|message| message.finish(rules, deflate)).transpose(),
        }
    }
}

impl Message {
    /// Text fails at its first wrong byte and not at its end.
    fn check(&mut self) -> Result<(), Violation> {
        if !self.text || self.compressed {
            return Ok(());
        }
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(rest) => self.checked += rest.len(),
            // The last character may still be under way.
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(NOT_UTF8),
        }
        Ok(())
    }

    fn finish(mut self, rules: Rules, deflate: &mut Deflate) -> Result<Event, Violation> {
        if self.compressed {
            self.bytes = deflate.inflate(&mut self.bytes, rules.message_bytes).map_err(|error| match error {
                InflateError::TooLong => TOO_BIG,
                InflateError::Invalid => Violation { code: 1007, reason: "not a deflate stream" },
            })?;
        }
        if self.text {
            String::from_utf8(self.bytes).map(Event::Text).map_err(|_| NOT_UTF8)
        } else {
            Ok(Event::Binary(self.bytes))
        }
    }
}

/// A close frame's payload: nothing, or a code that may be sent and a reason in UTF-8.
fn close(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(protocol("close code cut short")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(protocol("close code that may not be sent"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation { code: 1007, reason: "close reason is not UTF-8" });
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests;
