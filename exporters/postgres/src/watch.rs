//! A task for each server, on one thread for all. A sample asks all of them at once and waits a moment; who has not
//! answered by then, or did not until it was given up, is shown as it last was, with its age, until that is too old.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use aura_model::{Missing, Reason, Section, Stopwatch};
use tokio::{
    runtime::Runtime,
    sync::{oneshot, watch},
};

use crate::{ServerReading, Statistics, connection::is_timeout, server::Server};

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
pub(crate) struct Timeouts {
    /// The first sample waits so long: there is nothing yet that could be shown instead.
    pub first: Duration,
    /// All others.
    pub usual: Duration,
    /// An answer is shown so long after it was asked for, while the next does not come.
    pub kept: Duration,
    /// Who has not answered by then is given up.
    pub answer: Duration,
}

enum Answer {
    Sampled { server: usize, number: u64, asked: Stopwatch, reading: ServerReading },
    Panicked,
}

/// What a server last said.
struct Latest {
    number: u64,
    asked: Option<Stopwatch>,
    /// When the sample began that has not returned.
    waiting: Option<Stopwatch>,
    reading: ServerReading,
    /// Its newest statistics and when they were asked for; none once it was certainly away.
    good: Option<(Stopwatch, Arc<Statistics>)>,
}

impl Watch {
    pub(crate) fn start(runtime: Runtime, servers: Vec<Box<Server>>) -> Result<Self, Missing> {
        let (wanted, wishes) = watch::channel(0);
        let (sender, answers) = channel();
        let mut latest = Vec::with_capacity(servers.len());
        for (index, server) in servers.into_iter().enumerate() {
            let reading = server.reading(Section::off(Reason::Unreachable, "not asked yet"), Duration::ZERO);
            latest.push(Latest { number: 0, asked: None, waiting: None, reading, good: None });
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
    pub(crate) fn sample(&mut self, timeouts: &Timeouts) -> Vec<ServerReading> {
        let now = Instant::now();
        self.number += 1;
        for latest in &mut self.latest {
            latest.waiting.get_or_insert_with(Stopwatch::start);
        }
        self.wanted.send_replace(self.number);
        let until = now + if self.number == 1 { timeouts.first } else { timeouts.usual };
        while self.latest.iter().any(|latest| latest.number < self.number) {
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(answer) => self.take(answer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("the connections' thread is gone"),
            }
        }
        self.latest.iter().map(|latest| latest.show(self.number, timeouts)).collect()
    }

    fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Sampled { server, number, asked, reading } => {
                // Behind an answer that came late the next sample has begun already.
                let waiting = (number < self.number).then(Stopwatch::start);
                // That it was given up is shown, even if it is there again a moment later.
                let number = if reading.up.value().is_none() { self.number } else { number };
                let good = match &reading.up {
                    Section::Fresh(statistics) => Some((asked, Arc::clone(statistics))),
                    Section::Off { missing } if is_timeout(missing) => self.latest[server].good.take(),
                    Section::Off { .. } => None,
                };
                self.latest[server] = Latest { number, asked: Some(asked), waiting, reading, good };
            }
            // The panic of one server is that of the source, which is opened anew with all servers.
            Answer::Panicked => panic!("a server's task panicked"),
        }
    }
}

impl Latest {
    fn show(&self, number: u64, timeouts: &Timeouts) -> ServerReading {
        let mut reading = self.reading.clone();
        let missing = reading.up.missing();
        let timeout = missing.filter(|missing| is_timeout(missing)).map(|missing| missing.detail.clone());
        // Why it was away when it was last asked says more than that it is asked again.
        let is_away = self.asked.is_some() && missing.is_some() && timeout.is_none();
        let is_newest = self.number == number && timeout.is_none();
        let age = |asked: Stopwatch| asked.started().elapsed().as_secs_f64();
        if !is_newest {
            reading.age_seconds = self.asked.map_or(0.0, age);
        }
        if is_newest || is_away {
            return reading;
        }
        if let Some((asked, statistics)) = &self.good
            && asked.elapsed() <= timeouts.kept
        {
            reading.age_seconds = age(*asked);
            reading.up = Section::Fresh(Arc::clone(statistics));
            return reading;
        }
        let detail = timeout.unwrap_or_else(|| {
            let seconds = self.waiting.map_or(0.0, age);
            reading.seconds = seconds;
            let (address, limit) = (&reading.address, timeouts.answer);
            format!("{address}: no answer for {seconds:.1} s; it is given up after {limit:?}")
        });
        reading.up = Section::off(Reason::Unreachable, detail);
        reading
    }
}

/// Takes a sample each time one is wanted; those that were wanted meanwhile are one.
async fn serve(mut server: Box<Server>, index: usize, mut wishes: watch::Receiver<u64>, answers: Sender<Answer>) {
    let _alarm = Alarm(answers.clone());
    while wishes.changed().await.is_ok() {
        let number = *wishes.borrow_and_update();
        let asked = Stopwatch::start();
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
