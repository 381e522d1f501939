//! What a client sends, and what it may cost.

use super::{Client, Phase, Turn};
use crate::publish::feed::{
    frame::{self, Opcode},
    parser::{Event, Parser, Rules, Violation},
    reply::{self, Reaction},
    stats::Closed,
};

/// What a read and a frame cost beside their bytes, so that many small ones are a flood too.
const READ_COST: u32 = 32;
const FRAME_COST: u32 = 96;

/// Replies that may wait for a client that does not read them.
const REPLIES: usize = 16;

impl Client {
    /// Takes bytes that arrived.
    pub(in crate::publish::feed) fn receive(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> Result<(), Closed> {
        if let Phase::Closing { discarding: true, discard_bytes, .. } = &mut self.phase {
            *discard_bytes = discard_bytes.saturating_sub(bytes.len());
            return Ok(());
        }
        self.last_received = turn.now;
        self.pings = 0;
        self.charge(READ_COST.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX)), turn);
        let rules = Rules { message_bytes: turn.limits.message_bytes, deflate: self.terms.deflate };
        let mut parser = self.parser.take().map_or_else(Parser::default, |parser| *parser);
        let mut input = bytes;
        while !self.is_discarding() {
            match parser.take(&mut input, rules, turn.deflate) {
                Ok(Some(event)) => self.handle(event, turn)?,
                Ok(None) => break,
                Err(violation) => self.fail(violation, turn),
            }
        }
        if !parser.is_idle() && !self.is_discarding() {
            self.parser = Some(Box::new(parser));
        }
        self.flush(turn)
    }

    fn is_discarding(&self) -> bool {
        matches!(self.phase, Phase::Closing { discarding: true, .. })
    }

    fn handle(&mut self, event: Event, turn: &mut Turn<'_>) -> Result<(), Closed> {
        self.charge(FRAME_COST, turn);
        if let Phase::Closing { reason, .. } = self.phase {
            // We closed first; all that matters now is its close frame.
            return if matches!(event, Event::Close(_)) { Err(reason) } else { Ok(()) };
        }
        let reaction = match event {
            Event::Pong => {
                if let Some(sent) = self.after_ping.take() {
                    self.unread = sent;
                    // It was asked for, so it is free.
                    self.budget = self.budget.saturating_add(FRAME_COST + READ_COST);
                }
                return Ok(());
            }
            Event::Ping(payload) => {
                self.backlog().pong = Some(frame::build(Opcode::Pong, &payload));
                return self.flush(turn);
            }
            Event::Close(code) => {
                let echo = code.map_or_else(|| frame::build(Opcode::Close, &[]), |code| frame::close(code, ""));
                self.begin_close(echo, Closed::Peer, true, turn);
                return Ok(());
            }
            Event::Text(text) => reply::text(&text, self.permit.feed.replies.as_deref()),
            Event::Binary(_) => {
                self.fail(Violation { code: 1003, reason: "only text is understood" }, turn);
                return Ok(());
            }
        };
        match reaction {
            Reaction::Pace(pace) => {
                self.terms.pace = pace;
                self.due = turn.now + pace;
            }
            Reaction::Reply(reply) => {
                self.backlog().replies.push_back(reply);
                self.flush(turn)?;
                if self.backlog.as_ref().is_some_and(|backlog| backlog.replies.len() > REPLIES) {
                    self.fail(Violation { code: 1008, reason: "replies are not read" }, turn);
                }
            }
        }
        Ok(())
    }

    fn charge(&mut self, cost: u32, turn: &Turn<'_>) {
        match self.budget.checked_sub(cost) {
            Some(left) => self.budget = left,
            None if self.is_closing() => self.budget = 0,
            None => self.fail(Violation { code: 1008, reason: "too much too fast" }, turn),
        }
    }

    fn fail(&mut self, violation: Violation, turn: &Turn<'_>) {
        let Violation { code, reason } = violation;
        if !self.is_closing() {
            self.begin_close(frame::close(code, reason), Closed::of_code(code), true, turn);
        } else if let Phase::Closing { discarding, .. } = &mut self.phase {
            *discarding = true;
        }
    }
}
