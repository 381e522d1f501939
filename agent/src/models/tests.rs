//! What is shown equals what Ollama reports.
