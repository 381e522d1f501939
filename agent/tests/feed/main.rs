//! The live feeds over real sockets: hyper does the handshake, as it does in the agent.

mod hostile;
mod lifecycle;
mod protocol;
mod slots;
mod support;
