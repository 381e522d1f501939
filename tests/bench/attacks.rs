//! What an authorised scrape and a supervisor's check take while a stranger of the same address does the worst.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use socket2::{Domain, Socket, Type};

use crate::{
    client::Client,
    process::Program,
    table::{Pairs, Row, Target},
};

/// `ada:right` in base64.
const ADA: &str = "Basic YWRhOnJpZ2h0";
const SCRAPES: usize = 100;
const SLICES: usize = 3;

/// What each of the stranger's connections does.
struct Attack {
    name: &'static str,
    connections: usize,
    /// The last bytes of the addresses 127.0.0.x that they come from.
    from: std::ops::RangeInclusive<u8>,
    /// Said at once.
    opening: &'static str,
    /// Said again and again, a round every so often.
    then: Option<(&'static str, Duration)>,
    reads: bool,
    /// Closes each connection at the next round.
    leaves: bool,
}

const REFUSED: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
const GUESS: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRhOndyb25nNUMBER\r\n\r\n";
const ROUND: Duration = Duration::from_millis(10);
const QUIET: Attack =
    Attack { name: "", connections: 1000, from: 1..=1, opening: "", then: None, reads: true, leaves: false };
const ATTACKS: [Attack; 8] = [
    Attack { name: "1,000 connections that were refused once", opening: REFUSED, ..QUIET },
    Attack { name: "1,000 connections that say nothing", ..QUIET },
    Attack {
        name: "1,000 heads, a byte at a time",
        opening: "GET / HTTP/1.1\r\nX: ",
        then: Some(("x", Duration::from_millis(500))),
        ..QUIET
    },
    Attack {
        name: "1,000 connections that ask and read nothing",
        opening: REFUSED,
        then: Some((REFUSED, ROUND)),
        reads: false,
        ..QUIET
    },
    Attack {
        name: "100 connections that ask as fast as they are refused",
        connections: 100,
        opening: REFUSED,
        then: Some((REFUSED, Duration::ZERO)),
        ..QUIET
    },
    Attack {
        name: "1,000 connections that guess passwords",
        opening: GUESS,
        then: Some((GUESS, Duration::from_millis(100))),
        ..QUIET
    },
    Attack { name: "connections that come and go", connections: 100, leaves: true, ..QUIET },
    Attack { name: "1,000 refused connections of 250 addresses", from: 2..=251, opening: REFUSED, ..QUIET },
];

pub(crate) fn measure(rows: &mut Vec<Row>) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("aura-bench-attacks-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("web.yaml"), format!("basic_auth_users: {{ada: '{}'}}\n", bcrypt::hash("right", 10)?))?;
    let config = folder.join("aura.yaml");
    fs::write(&config, "web: {config_file: web.yaml}\n")?;
    let agent = Program::agent_with(&config);
    let result = agent.and_then(|agent| measure_at(agent.address, rows));
    let _ = fs::remove_dir_all(folder);
    result
}

fn measure_at(address: SocketAddr, rows: &mut Vec<Row>) -> Result<()> {
    let begun = Instant::now();
    while scrape(address).is_err() {
        ensure!(begun.elapsed() < Duration::from_secs(20), "the agent does not answer");
        thread::sleep(Duration::from_millis(50));
    }
    let mut failed = 0;
    for attack in &ATTACKS {
        let (mut scrapes, mut checks) = (Pairs::default(), Pairs::default());
        for _ in 0..SLICES {
            let calm = slice(address)?;
            let (stop, open) = (AtomicBool::new(false), AtomicUsize::new(0));
            let attacked = thread::scope(|scope| {
                scope.spawn(|| attack.run(address, &stop, &open));
                while open.load(Relaxed) < attack.connections {
                    thread::sleep(ROUND);
                }
                let slice = slice(address);
                stop.store(true, Relaxed);
                slice
            })?;
            failed += attacked.failed + calm.failed;
            scrapes.add(attacked.scrape, calm.scrape);
            checks.add(attacked.check, calm.check);
        }
        rows.push(Row::pairs(
            format!("{}: authorised scrape, p99", attack.name),
            "ms",
            "no attack",
            &scrapes,
            Target::None,
        ));
        rows.push(Row::pairs("  the same: /-/healthy, p99", "ms", "no attack", &checks, Target::None));
    }
    rows.push(Row::alone("under all of them: scrapes and checks not answered", "", failed as f64, Target::Figure(0.0)));
    Ok(())
}

/// 99th percentiles in milliseconds, and how many were not answered.
struct Slice {
    scrape: f64,
    check: f64,
    failed: usize,
}

/// Each on a connection of its own, as those have it who come anew.
fn slice(address: SocketAddr) -> Result<Slice> {
    let (mut scrapes, mut checks, mut failed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..SCRAPES {
        for (times, ask) in [(&mut scrapes, scrape as fn(SocketAddr) -> Result<()>), (&mut checks, check)] {
            let begun = Instant::now();
            if ask(address).is_err() {
                failed += 1;
            }
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let p99 = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() * 99 / 100]
    };
    Ok(Slice { scrape: p99(scrapes), check: p99(checks), failed })
}

fn scrape(address: SocketAddr) -> Result<()> {
    ask(address, "/metrics", Some(ADA))
}

fn check(address: SocketAddr) -> Result<()> {
    ask(address, "/-/healthy", None)
}

fn ask(address: SocketAddr, path: &str, user: Option<&'static str>) -> Result<()> {
    let mut client = Client::connect(address)?;
    client.authorization = user;
    let status = client.get(path, None)?.status;
    ensure!(status == 200, "{path}: {status}");
    Ok(())
}

impl Attack {
    fn run(&self, address: SocketAddr, stop: &AtomicBool, open: &AtomicUsize) {
        let mut connections: Vec<Option<(TcpStream, Instant)>> = (0..self.connections).map(|_| None).collect();
        let mut guesses = 0_u32;
        let mut say = |stream: &mut TcpStream, text: &str| {
            guesses += 1;
            let number = format!("{guesses:08}");
            // Eight digits are base64 of six bytes: another password each time.
            let _ = stream.write_all(text.replace("NUMBER", &number).as_bytes());
        };
        while !stop.load(Relaxed) {
            for (number, slot) in connections.iter_mut().enumerate() {
                match slot {
                    None => {
                        let host = self.from.start() + (number % self.from.len()) as u8;
                        let Ok(mut stream) = connect(address, host) else { continue };
                        say(&mut stream, self.opening);
                        *slot = Some((stream, Instant::now()));
                        open.fetch_add(1, Relaxed);
                    }
                    Some(_) if self.leaves => *slot = None,
                    Some((stream, said)) => {
                        let mut buffer = [0; 4096];
                        // Who reads nothing looks whether it is still there.
                        let read = if self.reads { stream.read(&mut buffer) } else { stream.peek(&mut buffer) };
                        if read.as_ref().is_ok_and(|length| *length == 0)
                            || read.is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
                        {
                            *slot = None;
                        } else if let Some((text, pause)) = self.then
                            && said.elapsed() >= pause
                        {
                            say(stream, text);
                            *said = Instant::now();
                        }
                    }
                }
                if stop.load(Relaxed) {
                    return;
                }
            }
            if self.then.is_none_or(|(_, pause)| !pause.is_zero()) {
                thread::sleep(ROUND);
            }
        }
    }
}

fn connect(address: SocketAddr, host: u8) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, host], 0)).into())?;
    socket.connect_timeout(&address.into(), Duration::from_secs(1))?;
    socket.set_nonblocking(true)?;
    // Many come and go: their ports are free at once.
    socket.set_linger(Some(Duration::ZERO))?;
    Ok(socket.into())
}
