//! The engine of a model in memory, as [`aura_ollama_simulator::llama_server`] simulates it. Nobody starts it but a simulator.

fn main() -> std::io::Result<()> {
    aura_ollama_simulator::llama_server()
}
