//! What the system runs out of, and what two agents cannot share: said once, and the agent goes on.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    os::unix::net::{SocketAddr, UnixDatagram},
    time::Duration,
};

use aura_tests::{Agent, Request, Setup, TIMEOUT, receive, wait_until};
use rustix::process::{Resource, Rlimit, Signal, prlimit};

fn count(agent: &Agent, words: &str) -> usize {
    agent.log().matches(words).count()
}

#[test]
fn running_out_of_descriptors_is_said_once_and_over_once() {
    let agent = Agent::start();
    let mut client = agent.feed();
    client.message();
    let open = fs::read_dir(format!("/proc/{}/fd", agent.pid().as_raw_nonzero())).unwrap().count() as u64;
    let limit =
        |current| prlimit(Some(agent.pid()), Resource::Nofile, Rlimit { current: Some(current), maximum: Some(4096) });
    limit(open + 2).unwrap();
    let crowd: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(agent.address()).unwrap()).collect();
    wait_until("a word about it", || count(&agent, "connections are not accepted") > 0);
    // Those who are there already are served meanwhile, and nothing is said again and again.
    for _ in 0..3 {
        client.message();
    }
    assert_eq!(count(&agent, "connections are not accepted"), 1, "{}", agent.log());
    drop(crowd);
    limit(4096).unwrap();
    wait_until("an end of it", || {
        std::thread::sleep(Duration::from_millis(200));
        agent.get("/-/healthy").status == 200 && count(&agent, "connections are accepted again") == 1
    });
    assert_eq!(count(&agent, "connections are not accepted"), 1, "{}", agent.log());
}

#[test]
fn a_state_that_cannot_be_written_is_said_once_and_over_once() {
    let setup = Setup::default();
    let folder = setup.folder().to_owned();
    let log = folder.join("installation/logs/security_audit.jsonl");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::create_dir_all(folder.join("storage")).unwrap();
    let append = |count: usize| {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        file.write_all("{\"event\":\"login\",\"level\":\"info\"}\n".repeat(count).as_bytes()).unwrap();
    };
    append(3);
    // No disk to fill at hand: what stands in the way of the new file has the same effect.
    let obstacle = folder.join("storage/audit.json.new");
    fs::create_dir(&obstacle).unwrap();
    let place = folder.display();
    let config = format!(
        "storage: {{path: {place}/storage}}\nsources: {{audit: {{roots: [{place}/installation], interval: 100ms}}}}\n"
    );
    let agent = setup.config(&config).start();
    let total = |agent: &Agent| crate::audit_logs::total(agent, "security_audit");
    for lines in [3.0, 4.0, 5.0] {
        wait_until("the lines to be counted", || total(&agent) == lines);
        append(1);
    }
    let (warning, over) = ("a restart would count lines again: ", "positions and numbers are kept again");
    wait_until("a word about it", || count(&agent, warning) > 0);
    assert_eq!((count(&agent, warning), count(&agent, over)), (1, 0), "{}", agent.log());
    fs::remove_dir(&obstacle).unwrap();
    wait_until("an end of it", || count(&agent, over) == 1);
    assert_eq!(count(&agent, warning), 1, "{}", agent.log());
}

#[test]
fn a_storage_folder_has_one_agent_and_a_crash_frees_it() {
    let setup = Setup::default();
    let storage = setup.folder().join("storage");
    let config = format!("storage: {{path: {}}}\n", storage.display());
    let mut first = setup.config(&config).start();
    for path in [storage.clone(), storage.join("../storage")] {
        let second = Setup::default().config(&format!("storage: {{path: {}}}\n", path.display())).fail();
        assert_eq!(second.code, Some(1), "{}", second.log);
        let id = first.pid().as_raw_nonzero().to_string();
        assert!(second.log.contains("in use by another agent") && second.log.contains(&id), "{}", second.log);
    }
    assert_eq!(first.get("/-/healthy").status, 200);
    first.kill();
    let third = Setup::default().config(&config).start();
    assert_eq!(third.get("/-/ready").status, 200);
}

#[test]
fn a_supervisor_without_a_file_is_told_and_a_strange_one_is_named() {
    use std::os::linux::net::SocketAddrExt;

    let name = format!("aura-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let hear = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let agent = Setup::default().variable("NOTIFY_SOCKET", format!("@{name}")).start();
    assert!(hear().contains("READY=1"));
    agent.signal(Signal::TERM);
    assert!(hear().contains("STOPPING=1"));

    let words = "the supervisor is told nothing: NOTIFY_SOCKET vsock:2:1234";
    let strange = Setup::default().variable("NOTIFY_SOCKET", "vsock:2:1234").start();
    assert_eq!(count(&strange, words), 1, "{}", strange.log());

    // The supervisor went away: one word about it.
    let lonely = Setup::default().variable("NOTIFY_SOCKET", "@aura-nobody").variable("WATCHDOG_USEC", "100000").start();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(count(&lonely, "the supervisor was not told"), 1, "{}", lonely.log());
}

#[test]
fn the_absent_client_does_not_end_the_answer_to_others() {
    let agent = Agent::start();
    // Half a request, and then the connection is reset with bytes unread.
    for _ in 0..50 {
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
    let mut stream = TcpStream::connect(agent.address()).unwrap();
    stream.write_all(&Request::new("GET", "/-/healthy").bytes(agent.address())).unwrap();
    assert_eq!(receive(&mut stream).unwrap().status, 200);
    assert_eq!(count(&agent, "connections are not accepted"), 0);
}
