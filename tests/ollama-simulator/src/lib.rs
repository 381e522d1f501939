//! Ollama's HTTP API without models: the same bodies, times, refusals and oddities, on a free port of loopback.
//!
//! The README lists what it claims. A test tells it what is installed, what goes wrong and when; it never guesses.

mod duration;
mod engine;
mod fault;
mod inference;
mod model;
mod name;
mod origin;
mod random;
mod request;
mod routes;
mod schedule;
mod settings;
mod state;
mod store;
mod wire;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, MutexGuard},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use self::state::{Shared, State};
pub use self::{
    engine::llama_server,
    fault::Fault,
    model::{LoadBehaviour, Model},
    settings::Settings,
};

/// A server that runs until it is stopped or dropped. Its state outlives it: [`Simulator::start_again`] is a restart
/// with the models still on disk.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Simulator {
    /// Starts on a free port with these settings.
    ///
    /// # Errors
    /// No port or no thread is left.
    pub fn start(settings: Settings) -> io::Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into(), settings)
    }

    /// Starts at this address.
    ///
    /// # Errors
    /// The address is taken.
    pub fn start_at(address: SocketAddr, settings: Settings) -> io::Result<Self> {
        let mut simulator = Self { address, shared: Arc::new(Shared::new(settings)), running: None };
        simulator.start_again()?;
        Ok(simulator)
    }

    /// Starts again where it was, with nothing loaded.
    ///
    /// # Errors
    /// The address is taken meanwhile.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.stop();
        let listener = TcpListener::bind(self.address)?;
        listener.set_nonblocking(true)?;
        self.address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let thread =
            std::thread::Builder::new().name("ollama".into()).spawn(move || serve(listener, &shared, stopped))?;
        self.running = Some((stop, thread));
        Ok(())
    }

    /// Stops as a killed process does: connections break, loads and answers with them.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
        self.state().forget_running();
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a model on its disk, or replaces the one of this name.
    pub fn install(&self, model: Model) {
        self.state().install(model);
    }

    /// Takes a model off its disk; a loaded one stays in memory until its time is over.
    pub fn delete(&self, name: &str) -> bool {
        self.state().delete(name)
    }

    /// What goes wrong from now on when a path is asked for; `None` ends it.
    pub fn set_fault(&self, path: &'static str, fault: Option<Fault>) {
        self.state().set_fault(path, fault);
    }

    /// Names of the models in memory, in the order of `/api/ps`.
    #[must_use]
    pub fn loaded(&self) -> Vec<String> {
        self.state().running().into_iter().map(|running| running.model.name.clone()).collect()
    }

    /// Begins a request to a loaded model that ends with [`Simulator::end_request`]; false when it is not loaded.
    pub fn begin_request(&self, name: &str) -> bool {
        self.state().begin_named(name)
    }

    /// Ends a request to a loaded model, which moves its expiry.
    pub fn end_request(&self, name: &str) {
        self.state().end_named(name);
    }

    /// Lets a model's time be over now.
    pub fn expire(&self, name: &str) {
        self.state().expire_named(name);
    }

    /// How often each path was asked for.
    #[must_use]
    pub fn asked(&self, path: &str) -> u64 {
        self.state().asked(path)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(listener: TcpListener, shared: &Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let serving = axum::serve(listener, routes::router(Arc::clone(shared)));
        tokio::select! {
            _ = async { serving.await } => {}
            () = expire(shared) => {}
            _ = stopped => {}
        }
    });
    // Dropping the runtime drops every connection, as the end of a process would.
}

/// Engines go when their time is over, whether or not somebody asks.
async fn expire(shared: &Shared) {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(shared.state());
    }
}
