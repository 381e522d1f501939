//! A task for each server, on one thread for all. A sample asks all of them at once and waits a moment; who has not
//! answered by then is shown as it last was, with its age, until it should have been given up.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use aura_model::{Missing, Reason, Section};
use tokio::{
    runtime::Runtime,
    sync::{oneshot, watch},
};

use crate::{ServerReading, server::Server};

/// TLS and large answers need some; what is not touched of it costs no memory.
const STACK_BYTES: usize = 2 << 20;

/// The servers' tasks.
pub(crate) struct Watch {
    /// The number of the newest sample that is wanted.
    wanted: watch::Sender<u64>,
    answers: Receiver<Answer>,
    latest: Vec<Latest>,
    number: u64,
    /// The thread ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

/// How long a sample waits, and how long an answer is worth showing.
pub(crate) struct Patience {
    /// The first sample waits so long: there is nothing yet that could be shown instead.
    pub first: Duration,
    /// All others.
    pub usual: Duration,
    /// An answer is shown so long after it came, while the next does not come.
    pub kept: Duration,
    /// Who has not answered by then is given up.
    pub answer: Duration,
}

enum Answer {
    Sampled { server: usize, number: u64, asked: Instant, reading: ServerReading },
    Panicked,
}

/// What a server last said.
struct Latest {
    number: u64,
    asked: Option<Instant>,
    came: Instant,
    /// When the sample began that has not returned.
    waiting: Option<Instant>,
    reading: ServerReading,
}

impl Watch {
    pub(crate) fn start(runtime: Runtime, servers: Vec<Box<Server>>) -> Result<Self, Missing> {
        let (wanted, wishes) = watch::channel(0);
        let (sender, answers) = channel();
        let mut latest = Vec::with_capacity(servers.len());
        for (index, server) in servers.into_iter().enumerate() {
            let reading = server.reading(Section::off(Reason::Unreachable, "not asked yet"), Duration::ZERO);
            latest.push(Latest { number: 0, asked: None, came: Instant::now(), waiting: None, reading });
            runtime.spawn(serve(server, index, wishes.clone(), sender.clone()));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            let _ = runtime.block_on(stopped);
        };
        thread::Builder::new()
            .name("postgres-io".into())
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map_err(|error| Missing::new(Reason::Unreadable, format!("no thread for connections: {error}")))?;
        Ok(Self { wanted, answers, latest, number: 0, _stop: stop })
    }

    /// Asks all servers.
    pub(crate) fn sample(&mut self, patience: &Patience) -> Vec<ServerReading> {
        let now = Instant::now();
        self.number += 1;
        for latest in &mut self.latest {
            latest.waiting.get_or_insert(now);
        }
        self.wanted.send_replace(self.number);
        let until = now + if self.number == 1 { patience.first } else { patience.usual };
        while self.latest.iter().any(|latest| latest.number < self.number) {
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(answer) => self.take(answer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("the connections' thread is gone"),
            }
        }
        self.latest.iter().map(|latest| latest.show(self.number, patience)).collect()
    }

    fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Sampled { server, number, asked, reading } => {
                // Behind an answer that came late the next sample has begun already.
                let waiting = (number < self.number).then(Instant::now);
                // That it was given up is shown, even if it is there again a moment later.
                let number = if reading.up.value().is_none() { self.number } else { number };
                self.latest[server] = Latest { number, asked: Some(asked), came: Instant::now(), waiting, reading };
            }
            // The panic of one server is that of the source, which is opened anew with all servers.
            Answer::Panicked => panic!("a server's task panicked"),
        }
    }
}

impl Latest {
    fn show(&self, number: u64, patience: &Patience) -> ServerReading {
        let mut reading = self.reading.clone();
        if self.number == number {
            return reading;
        }
        reading.age_seconds = self.asked.map_or(0.0, |asked| asked.elapsed().as_secs_f64());
        // Why it was away when it was last asked says more than that it is asked again.
        let away = self.asked.is_some() && reading.up.value().is_none();
        if !away && (self.asked.is_none() || self.came.elapsed() > patience.kept) {
            let seconds = self.waiting.map_or(0.0, |since| since.elapsed().as_secs_f64());
            let (address, limit) = (&reading.address, patience.answer);
            let detail = format!("{address}: no answer for {seconds:.1} s; it is given up after {limit:?}");
            reading.up = Section::off(Reason::Unreachable, detail);
            reading.seconds = seconds;
        }
        reading
    }
}

/// Takes a sample each time one is wanted; those that were wanted meanwhile are one.
async fn serve(mut server: Box<Server>, index: usize, mut wishes: watch::Receiver<u64>, answers: Sender<Answer>) {
    let _alarm = Alarm(answers.clone());
    while wishes.changed().await.is_ok() {
        let number = *wishes.borrow_and_update();
        let asked = Instant::now();
        let reading = server.sample().await;
        if answers.send(Answer::Sampled { server: index, number, asked, reading }).is_err() {
            return;
        }
    }
}

/// Tells the source when its task panics.
struct Alarm(Sender<Answer>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(Answer::Panicked);
        }
    }
}
