//! A server with its engines from birth to death, in a made-up /proc, with an engine that answers.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aura_model::{Missing, Name, Reason, Section};
use tokio::runtime::{Builder, Runtime};

use super::{
    Counters, End, EngineState, Engines, EnginesReading, Look, Parent, WeightsTotals,
    processes::{Process, Processes, engine, tests::Tree},
};

const SERVER: u16 = 11_434;
const USER: u32 = 998;

/// What the engine answers: status and body of `/metrics`, body of `/slots`.
type Script = Arc<Mutex<(u16, String, String)>>;

struct Box {
    tree: Tree,
    processes: Processes,
    engines: Engines,
    runtime: Runtime,
    port: u16,
    script: Script,
    asked: Arc<Mutex<Vec<String>>>,
}

fn weights() -> String {
    "ab".repeat(32)
}

impl Box {
    /// With a server of process 10.
    fn new() -> Self {
        let tree = Tree::new();
        let (script, asked) = (Script::default(), Arc::<Mutex<Vec<String>>>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, paths) = (Arc::clone(&script), Arc::clone(&asked));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let Some(path) = text.split(' ').nth(1) else { continue };
                paths.lock().unwrap().push(path.to_owned());
                let (status, metrics, slots) = answers.lock().unwrap().clone();
                let (status, body) = if path == "/metrics" { (status, metrics) } else { (200, slots) };
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .ok();
            }
        });
        let mut engines = Engines::new(&"http://127.0.0.1:11434".parse().unwrap(), tree.0.path().into()).unwrap();
        engines.deadline = Duration::from_secs(20);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let made = Self { processes: Processes::new(tree.0.path()), tree, engines, runtime, port, script, asked };
        made.tells(0, 0, None);
        made.sockets(0);
        made.server(0);
        made
    }

    /// The server, with so many ticks of its dead children.
    fn server(&self, children: u64) {
        self.tree.process(10, USER, &["/usr/bin/ollama", "serve"], ('S', 1, 100, 0, children));
    }

    fn engine(&self, pid: u32, uid: u32, state: char, parent: u32, started: u64, ticks: u64) {
        let (file, port) = (format!("/m/blobs/sha256-{}", weights()), self.port.to_string());
        let arguments = ["/l/llama-server", "--model", &file, "--port", &port, "-c", "8192", "-np", "2"];
        self.tree.process(pid, uid, &arguments, (state, parent, started, ticks, 0));
    }

    fn sockets(&self, connections: usize) {
        let row = |port: u16, state: &str, uid: u32| {
            format!("0: 0100007F:{port:04X} 0100007F:0001 {state} 0:0 0:0 0 {uid} 0 7 1\n")
        };
        let mut text = "head\n".to_owned() + &row(SERVER, "0A", USER) + &row(self.port, "0A", USER);
        for _ in 0..connections {
            text.write_str(&row(self.port, "01", USER)).unwrap();
        }
        fs::create_dir_all(self.tree.0.path().join("net")).unwrap();
        fs::write(self.tree.0.path().join("net/tcp"), text).unwrap();
    }

    /// So many tokens of prompts and generated; with a request that has generated so many so far.
    fn tells(&self, prompt: u64, generated: u64, running: Option<u64>) {
        let mut metrics = String::new();
        for (name, value) in [
            ("prompt_tokens_total", prompt),
            ("prompt_tokens_cached_total", 0),
            ("tokens_predicted_total", generated),
            ("prompt_seconds_total", 1),
            ("tokens_predicted_seconds_total", 2),
        ] {
            writeln!(metrics, "# TYPE llamacpp:{name} counter\nllamacpp:{name} {value}").unwrap();
        }
        let slots = match running {
            None => r#"[{"id":0,"is_processing":false}]"#.to_owned(),
            Some(tokens) => format!(
                r#"[{{"id":0,"is_processing":true,"id_task":7,"n_prompt_tokens":5,"next_token":[{{"n_decoded":{tokens}}}]}}]"#
            ),
        };
        *self.script.lock().unwrap() = (200, metrics, slots);
    }

    fn look(&mut self) -> Option<Look> {
        self.look_with(&[])
    }

    /// With engines that came and went since the last look.
    fn look_with(&mut self, ended: &[Process]) -> Option<Look> {
        let mut processes: Result<Vec<Process>, Missing> = self.processes.look();
        let ended = ended.iter().map(|process| Process { ended: true, ..process.clone() });
        processes.as_mut().unwrap().extend(ended);
        let look = self.engines.look(&processes, |known| known == weights());
        self.engines.begin(&self.runtime);
        self.runtime.block_on(self.engines.finish());
        look
    }

    fn reading(&mut self) -> EnginesReading {
        match self.engines.reading(|_| Vec::new()) {
            Section::Fresh(reading) => reading,
            Section::Off { missing } => panic!("{missing}"),
        }
    }

    fn total(&mut self) -> WeightsTotals {
        self.reading().totals.remove(0)
    }

    fn listed(&mut self, listed: bool) {
        std::thread::sleep(Duration::from_millis(2));
        self.engines.listed(Instant::now(), |_| Some(listed));
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

fn generated(total: &WeightsTotals) -> Option<u64> {
    total.counters.map(|counters| counters.generated_tokens)
}

#[test]
fn sums_survive_engines_and_each_end_is_told_apart() {
    let mut box_ = Box::new();
    assert_eq!(box_.look(), Some(Look { changed: false, worked: false }));
    box_.engine(20, USER, 'S', 10, 500, 10);
    assert_eq!(box_.look(), Some(Look { changed: true, worked: false }));
    assert!(box_.look().unwrap().changed, "it became ready");
    box_.tells(40, 100, None);
    box_.engine(20, USER, 'S', 10, 500, 300);
    assert_eq!(box_.look(), Some(Look { changed: false, worked: true }));
    let reading = box_.reading();
    let [engine] = &reading.engines[..] else { panic!("one") };
    assert_eq!(
        (engine.state, engine.parent, engine.slots, engine.context),
        (EngineState::Ready, Parent::Server, Some(2), Some(4096))
    );
    assert_eq!((engine.born, engine.cpu_seconds, engine.memory_bytes), (1005.0, 3.0, Some(2 << 20)));
    assert_eq!(box_.engines.born(&weights()), Some(1005.0));
    // It ends at rest: all that it did was counted.
    box_.tree.end(20);
    box_.server(300);
    assert!(box_.look().unwrap().changed);
    box_.listed(false);
    let total = box_.total();
    assert_eq!(
        (total.since, total.starts, total.ends, total.lives_cut, generated(&total)),
        (1005.0, 1, [1, 0, 0, 0], 0, Some(100))
    );
    // Another, of which it is known from its first sight on that it counts, from nothing. It works without being asked again.
    box_.tells(1, 7, None);
    box_.engine(21, USER, 'S', 10, 700, 10);
    box_.look();
    assert_eq!(generated(&box_.total()), Some(107));
    box_.tree.end(21);
    box_.server(300 + 10 + 50);
    box_.look();
    box_.listed(true);
    let total = box_.total();
    assert_eq!((total.starts, total.ends, total.lives_cut, total.cpu_seconds), (2, [1, 1, 0, 0], 1, 3.1));
    assert!(box_.engines.is_crashed(&weights()));
    box_.listed(false);
    assert!(!box_.engines.is_crashed(&weights()));
}

#[test]
fn engines_that_no_look_saw_are_counted_with_their_lost_tokens() {
    let mut box_ = Box::new();
    box_.look();
    let brief = |box_: &Box, pid, uid, parent| {
        box_.engine(pid, uid, 'R', parent, 500 + u64::from(pid), 0);
        let process = engine(box_.tree.0.path(), pid, 1000.0).unwrap();
        box_.tree.end(pid);
        process
    };
    let told = [brief(&box_, 20, USER, 10), brief(&box_, 21, USER, 1), brief(&box_, 22, 1000, 10)];
    assert!(box_.look_with(&told).unwrap().changed);
    box_.listed(false);
    let total = box_.total();
    assert_eq!((total.since, total.starts, total.ends, total.lives_cut), (1005.2, 1, [1, 0, 0, 0], 0));
    assert!(!box_.look_with(&told[1..]).unwrap().changed, "others' are not the server's");
    // Once its engines are known to count, what one counted is lost. Another of the same weights has taken its place.
    box_.engine(30, USER, 'S', 10, 600, 10);
    box_.look();
    let told = [brief(&box_, 31, USER, 10)];
    box_.look_with(&told);
    box_.listed(true);
    let total = box_.total();
    assert_eq!((total.starts, total.ends, total.lives_cut), (3, [1, 0, 1, 0], 1));
    assert_eq!((box_.reading().engines.len(), generated(&total)), (1, Some(0)));
}

#[test]
fn an_engine_that_rests_is_not_asked_and_one_that_works_is() {
    let mut box_ = Box::new();
    box_.engine(20, USER, 'S', 10, 500, 10);
    box_.look();
    box_.asked();
    for _ in 0..5 {
        box_.look();
    }
    assert_eq!(box_.asked(), 0);
    assert_eq!(box_.reading().engines[0].tokens_per_second, Some(0.0));
    box_.engine(20, USER, 'S', 10, 500, 11);
    box_.tells(5, 0, Some(3));
    box_.look();
    assert_eq!(box_.asked(), 2);
    box_.tells(5, 0, Some(9));
    box_.look();
    let reading = box_.reading();
    assert_eq!((box_.asked(), reading.engines[0].requests), (2, Some(1)));
    assert!(reading.engines[0].tokens_per_second > Some(0.0), "{reading:?}");
    assert_eq!(generated(&reading.totals[0]), Some(0), "it moves at the end of a request");
}

#[test]
fn what_is_no_child_of_the_server_is_never_asked() {
    let mut box_ = Box::new();
    box_.look();
    box_.tree.process(30, 1000, &["/home/eve/ollama", "serve"], ('S', 1, 200, 0, 0));
    box_.engine(20, 1000, 'S', 10, 500, 10);
    box_.engine(21, 1000, 'S', 30, 500, 10);
    box_.engine(22, 1000, 'S', 1, 500, 10);
    for _ in 0..3 {
        box_.look();
    }
    assert_eq!(box_.reading().engines, []);
    // A child, whose port belongs to another user.
    box_.engine(23, USER, 'S', 10, 600, 10);
    let stolen = fs::read_to_string(box_.tree.0.path().join("net/tcp")).unwrap();
    let port = format!("{:04X}", box_.port);
    let stolen: String = stolen
        .lines()
        .map(|line| if line.contains(&port) { line.replace(" 998 ", " 1000 ") } else { line.to_owned() } + "\n")
        .collect();
    fs::write(box_.tree.0.path().join("net/tcp"), stolen).unwrap();
    box_.look();
    assert_eq!((box_.reading().engines.len(), box_.asked()), (1, 0));
}

#[test]
fn what_a_killed_server_leaves_behind_is_named_and_left_alone() {
    let mut box_ = Box::new();
    box_.engine(20, USER, 'S', 10, 500, 10);
    box_.look();
    box_.tree.end(10);
    box_.engine(20, USER, 'S', 1, 500, 10);
    box_.asked();
    assert_eq!(box_.look(), None);
    let reading = box_.reading();
    assert_eq!((reading.engines[0].parent, reading.engines[0].state), (Parent::Gone, EngineState::Unknown));
    assert!(reading.missing.is_some() && reading.engines[0].counters.value().is_none());
    assert_eq!((box_.asked(), generated(&reading.totals[0])), (0, Some(0)));
    // The next server does not know it. An agent that is started now sees it too, as it holds a model of Ollama's.
    box_.tree.process(11, USER, &["/usr/bin/ollama", "serve"], ('S', 1, 900, 0, 0));
    box_.look();
    assert_eq!(box_.reading().engines[0].parent, Parent::Gone);
    let watch = || Engines::new(&"127.0.0.1".parse().unwrap(), box_.tree.0.path().into()).unwrap();
    let mut later = watch();
    later.look(&box_.processes.look(), |known| known == weights());
    let Section::Fresh(reading) = later.reading(|_| Vec::new()) else { panic!("seen") };
    let mut strange = watch();
    strange.look(&box_.processes.look(), |_| false);
    assert!(
        strange.reading(|_| Vec::new()).value().is_some_and(|reading| reading.engines.is_empty()),
        "no model of its"
    );
    assert_eq!((reading.engines[0].parent, reading.engines[0].memory_bytes), (Parent::Gone, Some(2 << 20)));
}

#[test]
fn one_that_is_stopped_or_silent_is_why_the_server_waits() {
    let mut box_ = Box::new();
    box_.engine(20, USER, 'S', 10, 500, 10);
    box_.look();
    assert_eq!(box_.engines.stuck(), None);
    box_.engine(20, USER, 'T', 10, 500, 10);
    box_.look();
    assert!(box_.engines.stuck().unwrap().contains("process number 20 was stopped"));
    assert_eq!(box_.reading().engines[0].state, EngineState::Stopped);
    box_.engine(20, USER, 'S', 10, 500, 20);
    box_.sockets(2);
    *box_.script.lock().unwrap() = (500, String::new(), "no".into());
    box_.look();
    assert_eq!(box_.engines.stuck(), None, "it answers, whatever it says");
    box_.engine(20, USER, 'S', 10, 500, 30);
    box_.look();
    assert_eq!(box_.reading().engines[0].requests, Some(2), "its connections tell where it does not");
}

#[test]
fn engines_that_do_not_count_say_what_to_do() {
    let mut box_ = Box::new();
    box_.script.lock().unwrap().0 = 501;
    box_.engine(20, USER, 'S', 10, 500, 10);
    box_.look();
    let reading = box_.reading();
    let missing = reading.engines[0].counters.missing().unwrap();
    assert_eq!((missing.reason, reading.totals[0].counters), (Reason::NotConfigured, None));
    assert_eq!(
        (reading.engines[0].tokens_per_second, reading.engines[0].activity.value().map(Vec::len)),
        (None, Some(1))
    );
    // The speed of a request that is seen twice is known all the same.
    box_.tells(0, 0, Some(2));
    box_.script.lock().unwrap().0 = 501;
    for tokens in [2, 9] {
        box_.tells(0, 0, Some(tokens));
        box_.engine(20, USER, 'S', 10, 500, tokens * 10);
        box_.look();
    }
    assert!(box_.reading().engines[0].tokens_per_second > Some(0.0));
}

#[test]
fn why_nothing_is_seen() {
    let elsewhere = Engines::new(&"http://box.lan".parse().unwrap(), "/proc".into()).err().unwrap();
    assert_eq!(elsewhere.reason, Reason::NoSensor);
    let why = |box_: &mut Box| {
        box_.look();
        match box_.engines.reading(|_| Vec::new()) {
            Section::Fresh(reading) => panic!("{reading:?}"),
            Section::Off { missing } => missing,
        }
    };
    // A proxy listens there.
    let mut proxied = Box::new();
    proxied.tree.process(10, 0, &["nginx"], ('S', 1, 100, 0, 0));
    assert!(why(&mut proxied).detail.contains("no process named ollama"));
    // So may a tunnel of the server's own user do, whose files can be seen.
    let mut tunnelled = Box::new();
    fs::create_dir(tunnelled.tree.0.path().join("10/fd")).unwrap();
    assert!(why(&mut tunnelled).detail.contains("no process named ollama"));
    std::os::unix::fs::symlink("socket:[7]", tunnelled.tree.0.path().join("10/fd/3")).unwrap();
    for _ in 0..12 {
        tunnelled.look();
    }
    assert!(tunnelled.engines.reading(|_| Vec::new()).value().is_some(), "it listens there itself");
    // In a container nobody does.
    let mut contained = Box::new();
    fs::write(contained.tree.0.path().join("net/tcp"), "head\n").unwrap();
    assert!(why(&mut contained).detail.contains("nobody listens on port 11434"));
    // Two of one user, and their files are not ours to see.
    let mut two = Box::new();
    two.tree.process(11, USER, &["/usr/bin/ollama", "serve"], ('S', 1, 100, 0, 0));
    assert_eq!(why(&mut two).reason, Reason::NoPermission);
}

#[test]
fn counters_are_zero_only_where_that_is_known() {
    let zero = Counters::default();
    assert_eq!((zero.cached_tokens, End::ALL.map(End::word)[1]), (None, "crashed"));
    let mut box_ = Box::new();
    box_.engine(20, USER, 'S', 10, 500, 10);
    box_.sockets(0);
    fs::write(
        box_.tree.0.path().join("net/tcp"),
        format!("head\n0: 0100007F:{SERVER:04X} 0:0 0A 0:0 0:0 0 {USER} 0 7 1\n"),
    )
    .unwrap();
    box_.look();
    assert_eq!((box_.total().counters, box_.reading().engines[0].state), (None, EngineState::Loading));
    let name: Name = box_.reading().model(&weights());
    assert_eq!(&*name, "abababababab");
}
