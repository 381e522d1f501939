//! Far sides that are anything but an Ollama, all at once beside one that is.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use aura_model::{Context, Interval, Source, Switch};
use aura_ollama::{FailureKind, HostStatus, Ollama, OllamaOptions};
use aura_ollama_simulator::{Model, Settings, Simulator};

use super::support::{loaded, post, until};

/// Answers every request so; ends with the test's process.
fn answering(answer: fn(TcpStream) -> io::Result<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone()?);
                let mut line = String::new();
                while lines.read_line(&mut line)? > 0 && line != "\r\n" {
                    line.clear();
                }
                answer(stream)
            });
        }
    });
    url
}

fn whole(mut stream: TcpStream, status: &str, body: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// What each does, how it is shown, and words of why.
type Rogue = (fn(TcpStream) -> io::Result<()>, HostStatus, FailureKind, &'static str);

const ROGUES: &[Rogue] = &[
    (
        |stream| whole(stream, "200 OK", "<html><body>It works!</body></html>"),
        HostStatus::Away,
        FailureKind::Unreadable,
        "did not answer as Ollama does",
    ),
    (
        |stream| whole(stream, "502 Bad Gateway", "<html><h1>502 Bad Gateway</h1></html>"),
        HostStatus::Away,
        FailureKind::Status,
        "502",
    ),
    (
        |stream| whole(stream, "301 Moved Permanently\r\nlocation: https://box.lan/", ""),
        HostStatus::Away,
        FailureKind::Status,
        "leads elsewhere",
    ),
    (
        |stream| whole(stream, "200 OK", r#"{"models":[{"name":"llama3.1:8b","si"#),
        HostStatus::Away,
        FailureKind::Unreadable,
        "did not answer as Ollama does",
    ),
    (
        |stream| whole(stream, "200 OK", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        HostStatus::Away,
        FailureKind::Unreadable,
        "did not answer as Ollama does",
    ),
    (
        |mut stream| write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{\"models\":["),
        HostStatus::Away,
        FailureKind::Unreadable,
        "broke off",
    ),
    (|mut stream| write!(stream, "SSH-2.0-OpenSSH_9.2\r\n"), HostStatus::Away, FailureKind::Unreadable, "broke off"),
    (|_| Ok(()), HostStatus::Away, FailureKind::Unreadable, "broke off"),
    (
        |mut stream| {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 65_536])?;
            }
        },
        HostStatus::Away,
        FailureKind::Unreadable,
        "longer than 4 MiB",
    ),
    (
        |mut stream| {
            write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            let chunk = format!("8000\r\n{:32768}\r\n", "");
            loop {
                stream.write_all(chunk.as_bytes())?;
            }
        },
        HostStatus::Away,
        FailureKind::Unreadable,
        "longer than 4 MiB",
    ),
    (
        |mut stream| {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            loop {
                // A header that never ends, a byte at a time.
                write!(stream, "x")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        },
        HostStatus::Busy,
        FailureKind::Timeout,
        "has not answered",
    ),
    (
        |mut stream| {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
            loop {
                write!(stream, " ")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        },
        HostStatus::Busy,
        FailureKind::Timeout,
        "has not answered",
    ),
];

#[test]
fn each_is_shown_as_what_it_is_and_none_holds_up_the_one_that_answers() {
    let simulator = Simulator::start(Settings::default()).unwrap();
    simulator.install(Model::new("llama3.1:8b", 1 << 30));
    let rogues = ROGUES.iter().map(|(answer, ..)| answering(*answer).as_str().into());
    let options = OllamaOptions {
        enabled: Switch::On,
        hosts: rogues.chain([simulator.url().into()]).collect(),
        interval: Interval::from_millis(200),
        request_timeout: Interval::from_secs(4),
        ..OllamaOptions::default()
    };
    let mut source = Ollama::open(&options, &Context::default()).unwrap();
    let good = ROGUES.len();
    until(&mut source, good, "it answers", |host| host.status == HostStatus::Answering);
    post(&simulator, r#"{"model":"llama3.1:8b"}"#);
    until(&mut source, good, "it is loaded", |host| loaded(host) == Some(vec!["llama3.1:8b".into()]));
    for (index, (_, status, kind, word)) in ROGUES.iter().enumerate() {
        let mut newest = 0.0;
        let reading = until(&mut source, index, word, |host| host.requests.failures[*kind as usize] > 0);
        let host = &reading.hosts[index];
        assert_eq!(host.status, *status, "{host:?}");
        assert!(host.missing.as_ref().unwrap().detail.contains(word), "{word}: {host:?}");
        assert!(host.loaded.value().is_none() && host.installed.value().is_none() && host.version.is_none());
        // Samples go on meanwhile, each with a new answer of the one that answers.
        for _ in 0..3 {
            let reading = until(&mut source, good, "a new answer", |host| host.answered_at > Some(newest));
            assert_eq!(reading.hosts[good].status, HostStatus::Answering);
            newest = reading.hosts[good].answered_at.unwrap();
        }
    }
}
