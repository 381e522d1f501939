//! What changes the world: beside the way of the readings, and never part of a sample.

pub mod ollama;
