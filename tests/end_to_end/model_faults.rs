//! Ollama servers that fail each in its own way, beside one that does not; and one behind a real proxy.

use std::{fs, process::Command};

use aura_ollama_simulator::{Fault, Model, Settings, Simulator};
use aura_tests::{Agent, Feed, Peer, Request, Setup, needs, wait_for, wait_until};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn simulator() -> Simulator {
    let simulator = Simulator::start(Settings::default()).unwrap();
    simulator.install(Model::new("llama3.1:8b", 5 * GIB));
    simulator
}

#[test]
fn several_that_fail_cost_neither_the_one_that_answers_nor_the_host_anything() {
    let (good, silent, html, broken, mut gone) = (simulator(), simulator(), simulator(), simulator(), simulator());
    silent.set_fault("/api/ps", Some(Fault::Hang));
    html.set_fault("/api/ps", Some(Fault::Garbage("<html>".into())));
    broken.set_fault("/api/ps", Some(Fault::Break));
    gone.stop();
    let hosts = [&silent, &html, &broken, &gone, &good].map(Simulator::url).join("', '");
    let config = format!("sources: {{ollama: {{hosts: ['{hosts}'], interval: 200ms, request_timeout: 3s}}}}\n");
    let agent = Setup::default().config(&config).start();
    let mut models = Feed::try_connect(agent.address(), "/ws/models", &[]).unwrap();
    let states = |message: &Value| -> Vec<String> {
        let hosts = message["hosts"].as_array().into_iter().flatten();
        hosts.map(|host| host["state"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let expected = ["busy", "away", "away", "away", "answering"];
    let message =
        wait_for("each stands as it is", || Some(models.message()).filter(|message| states(message) == expected));
    assert_eq!(message["available_models"], json!(["llama3.1:8b"]));
    assert!(message["memory_usage"]["current_gb"].is_null(), "a sum of which a part is unknown");
    for (index, reason) in ["stale", "unreadable", "unreadable", "unreachable"].iter().enumerate() {
        let host = &message["hosts"][index];
        assert_eq!(host["reason"], *reason, "{host}");
        let path = format!("hosts.{}", host["host"].as_str().unwrap());
        assert_eq!(message["missing"][&path]["reason"], *reason);
    }
    // The host goes on: every sample is there, each of its own time.
    let mut system = agent.feed();
    let time = |message: &Value| -> jiff::Timestamp { message["sampled_at"].as_str().unwrap().parse().unwrap() };
    let mut before = system.message();
    for _ in 0..6 {
        let next = system.message();
        assert_eq!(next["seq"].as_u64(), before["seq"].as_u64().map(|seq| seq + 1));
        assert!(time(&next) > time(&before), "{before} is followed by {next}");
        before = next;
    }
    // So does the one that answers, in the same source.
    let answered = |message: &Value| message["hosts"][4]["answered_at"].clone();
    let first = answered(&models.message());
    wait_for("a new answer", || Some(models.message()).filter(|message| answered(message) != first));
    for simulator in [&silent, &html, &broken] {
        simulator.set_fault("/api/ps", None);
    }
    gone.start_again().unwrap();
    wait_for("all are back", || Some(models.message()).filter(|message| states(message) == ["answering"; 5]));
}

#[test]
fn behind_nginx_with_https_and_a_password_models_are_read_and_loaded() {
    let Some(program) = needs("nginx") else { return };
    let simulator = simulator();
    let setup = Setup::default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    setup.write("key.pem", &made.signing_key.serialize_pem());
    setup.write("ca.pem", &made.cert.pem());
    setup.write("users", "aura:{PLAIN}open sesame\n");
    setup.write("password", "open sesame\n");
    setup.write("token", TOKEN);
    let folder = setup.folder().to_owned();
    let port = Agent::free_address().port();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()))
        .concat();
    let config = format!(
        "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {paths}server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {0}/ca.pem; ssl_certificate_key {0}/key.pem;\n\
         auth_basic ollama; auth_basic_user_file {0}/users;\n\
         location / {{ proxy_pass http://{1}; proxy_set_header Host localhost; }} }} }}\n",
        folder.display(),
        simulator.address()
    );
    let file = setup.write("nginx.conf", &config);
    let start = || Peer::start(Command::new(&program).arg("-c").arg(&file), folder.join("nginx.log"));
    let mut nginx = start();
    let path = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "web: {{control_token_file: token}}\nsources: {{ollama: {{interval: 200ms, hosts: [{{url: 'https://localhost:{port}', \
         ca_file: '{}', user: aura, password_file: '{}'}}]}}}}\n",
        path("ca.pem"),
        path("password")
    );
    let agent = setup.config(&config).start();
    wait_until("the models behind the proxy", || {
        assert!(nginx.ended().is_none(), "{}", nginx.log());
        agent.json("/api/models")["available_models"] == json!(["llama3.1:8b"])
    });
    let request = Request::new("POST", "/v1/models/llama3.1%3A8b/load?keep_alive=forever");
    let answer = agent.send(&request.header("Authorization", &format!("Bearer {TOKEN}")));
    assert_eq!((answer.status, simulator.loaded()), (200, vec!["llama3.1:8b".to_owned()]), "{}", answer.text());
    assert_eq!(agent.json("/v1/models/health")["ollama_url"], format!("https://localhost:{port}"));
    // A wrong password is told apart from a server that is not there, and neither is shown.
    fs::write(folder.join("password"), "guessed").unwrap();
    nginx.kill();
    let state = |wanted: &str| agent.json("/api/models")["hosts"][0]["reason"] == wanted;
    wait_until("the proxy is away", || state("unreachable"));
    let _nginx = start();
    wait_until("the password is wrong", || state("no_permission"));
    let shown = agent.get("/api/models").text() + &agent.log() + &agent.get("/metrics").text();
    assert!(!shown.contains("sesame") && !shown.contains("guessed"), "{shown}");
}

#[test]
fn a_wrong_entry_is_refused_with_its_place_and_without_its_secret() {
    for (entry, path, word) in [
        ("'http://me:sesame@box.lan'", "sources.ollama.hosts", "password_file"),
        ("{url: 'http://box.lan', token_file: /t}", "sources.ollama.hosts[0].token_file", "https://"),
        ("{url: 'https://box.lan', user: me}", "sources.ollama.hosts[0].user", "password_file"),
        ("{url: 'https://box.lan', tokenfile: /t}", "sources.ollama.hosts[0].tokenfile", "token_file"),
        ("{ca_file: /c}", "sources.ollama.hosts[0]", "url"),
    ] {
        let config = format!("sources: {{ollama: {{hosts: [{entry}]}}}}\n");
        let ended = Setup::default().config(&config).fail();
        assert_ne!(ended.code, Some(0), "{entry}");
        let log = ended.log;
        assert!(log.contains(path) && log.contains(word) && !log.contains("sesame"), "{entry}: {log}");
    }
}
