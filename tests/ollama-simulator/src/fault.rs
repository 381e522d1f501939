//! What goes wrong on demand.

use std::time::Duration;

/// What happens instead of an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The request is taken, and nothing ever comes.
    Hang,
    /// The answer comes so much later.
    Slow(Duration),
    /// 200 and this text, whatever was asked.
    Garbage(String),
    /// The answer begins, and the connection breaks.
    Break,
    /// This status with Ollama's error body.
    Refuse(u16, String),
}
