//! Random reloads while clients ask: a request succeeds only if the old or the new configuration lets it in as a whole,
//! its address, its TLS, its name and its password together; and once a reload is answered, exactly what it says.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use aura_tests::{Agent, Random, Setup, TIMEOUT, receive};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    client::Resumption,
    crypto::aws_lc_rs,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Reloads in all, each with requests before, during and after it.
const RELOADS: usize = 160;

/// A configuration, as far as it decides who is let in.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rules {
    listen: Listen,
    users: Option<(&'static str, &'static str)>,
    tls: Tls,
    allow_unauthenticated: bool,
    box_is_known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Listen {
    One,
    Everywhere,
    OtherPort,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tls {
    None,
    Any,
    OnlyNew,
    Clients(&'static str),
}

/// How a connection is made.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    /// The last byte of 127.0.0.x.
    host: u8,
    other_port: bool,
    wire: Wire,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wire {
    Plain,
    Tls { new: bool, client: Option<&'static str> },
}

/// What is said over it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Words {
    name: &'static str,
    pair: Option<(&'static str, &'static str)>,
}

const USERS: [Option<(&str, &str)>; 4] = [None, Some(("ada", "one")), Some(("ada", "two")), Some(("bob", "one"))];
const NAMES: [&str; 4] = ["localhost", "localhost", "box.lan", "evil.example"];
const WIRES: [Wire; 6] = [
    Wire::Plain,
    Wire::Tls { new: true, client: None },
    Wire::Tls { new: false, client: None },
    Wire::Tls { new: true, client: Some("first") },
    Wire::Tls { new: false, client: Some("first") },
    Wire::Tls { new: true, client: Some("second") },
];

impl Rules {
    fn any(random: &mut Random) -> Self {
        let tls = [Tls::None, Tls::None, Tls::Any, Tls::OnlyNew, Tls::Clients("first"), Tls::Clients("second")];
        Self {
            listen: *random.one_of(&[Listen::One, Listen::Everywhere, Listen::OtherPort, Listen::Two]),
            users: *random.one_of(&USERS),
            tls: *random.one_of(&tls),
            allow_unauthenticated: random.below(4) == 0,
            box_is_known: random.below(2) == 0,
        }
    }

    fn names_who_comes_in(self) -> bool {
        self.users.is_some() || matches!(self.tls, Tls::Clients(_))
    }

    /// Whether an agent may start with them.
    fn are_valid(self) -> bool {
        self.listen != Listen::Everywhere || self.names_who_comes_in() || self.allow_unauthenticated
    }

    fn let_in(self, way: Way, words: Words) -> bool {
        let address = match self.listen {
            Listen::One => way.host == 1 && !way.other_port,
            Listen::Everywhere => !way.other_port,
            Listen::OtherPort => way.host == 1 && way.other_port,
            Listen::Two => (way.host == 1) != way.other_port,
        };
        let wire = match (self.tls, way.wire) {
            (Tls::None, Wire::Plain) | (Tls::Any, Wire::Tls { .. }) => true,
            (Tls::OnlyNew, Wire::Tls { new, .. }) => new,
            (Tls::Clients(authority), Wire::Tls { client, .. }) => client == Some(authority),
            _ => false,
        };
        let name =
            self.names_who_comes_in() || words.name == "localhost" || self.box_is_known && words.name == "box.lan";
        address && wire && name && (self.users.is_none() || self.users == words.pair)
    }

    /// What a connection made like this has shown: a certificate only where one is asked for.
    fn shown(self, way: Way) -> Way {
        match way.wire {
            Wire::Tls { new, .. } if !matches!(self.tls, Tls::Clients(_)) => {
                Way { wire: Wire::Tls { new, client: None }, ..way }
            }
            _ => way,
        }
    }

    fn write(self, agent: &Path, ports: [u16; 2]) {
        let [port, other] = ports;
        let listen = match self.listen {
            Listen::One => format!("'127.0.0.1:{port}'"),
            Listen::Everywhere => format!("'0.0.0.0:{port}'"),
            Listen::OtherPort => format!("'127.0.0.1:{other}'"),
            Listen::Two => format!("['127.0.0.1:{port}', '127.0.0.2:{other}']"),
        };
        let hosts = if self.box_is_known { "box.lan" } else { "" };
        let allow = self.allow_unauthenticated;
        fs::write(
            agent.join("aura.yaml"),
            format!(
                "web: {{listen_address: {listen}, config_file: web.yaml, allow_unauthenticated: {allow}, \
                 allowed_hosts: [{hosts}]}}\nlog: {{level: debug}}\nsources: {{host: {{interval: 200ms}}}}\n"
            ),
        )
        .unwrap();
        let pair = "cert_file: server.pem, key_file: server.key";
        let tls = match self.tls {
            Tls::None => String::new(),
            Tls::Any => format!("tls_server_config: {{{pair}}}\n"),
            Tls::OnlyNew => format!("tls_server_config: {{{pair}, min_version: TLS13}}\n"),
            Tls::Clients(authority) => format!(
                "tls_server_config: {{{pair}, client_auth_type: RequireAndVerifyClientCert, \
                 client_ca_file: {authority}.pem}}\n"
            ),
        };
        // The cheapest hash there is: what it costs is not what is tested here.
        let users = self.users.map_or(String::new(), |(name, password)| {
            format!("basic_auth_users: {{{name}: '{}'}}\n", bcrypt::hash(password, 4).unwrap())
        });
        fs::write(agent.join("web.yaml"), format!("{tls}{users}")).unwrap();
    }

    /// A way and words that these let in.
    fn welcome(self) -> (Way, Words) {
        let wire = match self.tls {
            Tls::None => Wire::Plain,
            Tls::Any | Tls::OnlyNew => Wire::Tls { new: true, client: None },
            Tls::Clients(authority) => Wire::Tls { new: true, client: Some(authority) },
        };
        let way = Way { host: 1, other_port: self.listen == Listen::OtherPort, wire };
        (way, Words { name: "localhost", pair: self.users })
    }
}

impl Way {
    fn any(random: &mut Random) -> Self {
        Self {
            host: if random.below(3) == 0 { 2 } else { 1 },
            other_port: random.below(3) == 0,
            wire: *random.one_of(&WIRES),
        }
    }
}

impl Words {
    fn any(random: &mut Random) -> Self {
        let pairs = [USERS[0], USERS[1], USERS[2], USERS[3], Some(("ada", "wrong"))];
        Self { name: NAMES[random.below(NAMES.len())], pair: *random.one_of(&pairs) }
    }
}

/// Who asks: certificates and where the agent is.
struct Client {
    ports: [u16; 2],
    tls: Vec<(Wire, Arc<ClientConfig>)>,
}

type Connection = Box<dyn aura_tests::Wire>;

impl Client {
    fn connect(&self, way: Way) -> io::Result<Connection> {
        let address = SocketAddr::from(([127, 0, 0, way.host], self.ports[usize::from(way.other_port)]));
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let Some((_, config)) = self.tls.iter().find(|(wire, _)| *wire == way.wire) else {
            return Ok(Box::new(stream));
        };
        let connection = ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }

    fn request(connection: &mut impl ReadWrite, method: &str, path: &str, words: Words) -> io::Result<u16> {
        let basic = words.pair.map_or(String::new(), |(name, password)| {
            format!("Authorization: Basic {}\r\n", base64(&format!("{name}:{password}")))
        });
        let host = words.name;
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{basic}\r\n");
        connection.write_all(request.as_bytes())?;
        connection.flush()?;
        Ok(receive(connection)?.status)
    }

    fn is_let_in(connection: &mut impl ReadWrite, words: Words) -> bool {
        // What was asked for need not be there; it is enough to be told so.
        matches!(Self::request(connection, "GET", "/api/system/stats", words), Ok(200 | 503))
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let word = three.iter().enumerate().fold(0_u32, |word, (at, byte)| word | u32::from(*byte) << (16 - 8 * at));
        for letter in 0..4 {
            let byte = LETTERS[(word >> (18 - 6 * letter)) as usize & 63];
            encoded.push(if letter <= three.len() { byte.into() } else { '=' });
        }
    }
    encoded
}

/// Which rules may be in force.
struct History {
    all: Vec<Rules>,
    /// The first that may still be.
    settled: usize,
}

fn certify(folder: &Path) -> Vec<(Wire, Arc<ClientConfig>)> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issue = || CertifiedIssuer::self_signed(parameters.clone(), KeyPair::generate().unwrap()).unwrap();
    let (first, second) = (issue(), issue());
    fs::write(folder.join("first.pem"), first.pem()).unwrap();
    fs::write(folder.join("second.pem"), second.pem()).unwrap();
    let sign = |issuer: &CertifiedIssuer<'_, KeyPair>| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (certificate, key) = sign(&first);
    fs::write(folder.join("server.pem"), certificate).unwrap();
    fs::write(folder.join("server.key"), key).unwrap();
    let clients = [("first", sign(&first)), ("second", sign(&second))];
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(first.pem().as_bytes()).unwrap()).unwrap();
    let config = |new: bool, client: Option<&str>| {
        let versions: &[&SupportedProtocolVersion] = if new { &[&TLS13] } else { &[&TLS12] };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots.clone());
        let mut config = match client.and_then(|client| clients.iter().find(|(name, _)| *name == client)) {
            Some((_, (certificate, key))) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        // Sessions are taken up again where they may be: what they were let in for must not come with them.
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config)
    };
    let tls = WIRES.iter().filter_map(|wire| match *wire {
        Wire::Plain => None,
        Wire::Tls { new, client } => Some((*wire, config(new, client))),
    });
    tls.collect()
}

#[test]
fn no_request_succeeds_that_neither_the_old_nor_the_new_rules_let_in() {
    let mut random = Random::any();
    let ports = [Agent::free_address().port(), Agent::free_address().port()];
    let setup = Setup::default().listen(None);
    let client = Client { ports, tls: certify(setup.folder()) };
    let first =
        Rules { listen: Listen::One, users: None, tls: Tls::None, allow_unauthenticated: false, box_is_known: false };
    first.write(setup.folder(), ports);
    let file = setup.folder().join("aura.yaml");
    let agent = setup.argument("--config.file").argument(file).announced();
    let history = Mutex::new(History { all: vec![first], settled: 0 });
    let (done, during) = (AtomicBool::new(false), AtomicUsize::new(0));
    let seeds: Vec<Random> = (0..2).map(|_| Random::of(random.below(usize::MAX))).collect();
    let mut refused = 0;
    thread::scope(|scope| {
        for mut random in seeds {
            let (client, history, done, during) = (&client, &history, &done, &during);
            scope.spawn(move || {
                let mut kept: Vec<(Way, Connection)> = Vec::new();
                while !done.load(Relaxed) {
                    let (way, mut connection) = if !kept.is_empty() && random.below(2) == 0 {
                        kept.swap_remove(random.below(kept.len()))
                    } else {
                        let way = Way::any(&mut random);
                        let Ok(connection) = client.connect(way) else { continue };
                        (way, connection)
                    };
                    let words = Words::any(&mut random);
                    let from = history.lock().unwrap().settled;
                    if Client::is_let_in(&mut connection, words) {
                        let history = history.lock().unwrap();
                        let possible = &history.all[from..];
                        assert!(
                            possible.iter().any(|rules| rules.let_in(way, words)),
                            "{way:?} {words:?} was let in by none of {possible:?}"
                        );
                        during.fetch_add(1, Relaxed);
                        kept.push((way, connection));
                        if kept.len() > 6 {
                            kept.remove(0);
                        }
                    }
                }
            });
        }
        // The others end when this one does, be it by a panic.
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        let _end = End(&done);
        let mut rules = first;
        let mut kept: Vec<(Way, Connection)> = Vec::new();
        for number in 0..RELOADS {
            let new = Rules::any(&mut random);
            let before = rules;
            let expected = new.are_valid() && (new.names_who_comes_in() || !rules.names_who_comes_in());
            new.write(agent.folder(), ports);
            let (way, words) = rules.welcome();
            let mut asks = client.connect(way).unwrap_or_else(|error| panic!("{number}: {way:?} {rules:?}: {error}"));
            if expected {
                history.lock().unwrap().all.push(new);
            }
            let answer = Client::request(&mut asks, "POST", "/-/reload", words);
            let status = answer.unwrap_or_else(|error| panic!("{number}: {rules:?} to {new:?}: {error}"));
            assert_eq!(status, if expected { 200 } else { 500 }, "{number}: {rules:?} to {new:?}\n{}", agent.log());
            if expected {
                rules = new;
                let mut history = history.lock().unwrap();
                history.settled = history.all.len() - 1;
            }
            refused += usize::from(!expected);
            // What was connected before is judged anew.
            for (way, mut connection) in kept.drain(..) {
                let words = if random.below(2) == 0 { rules.welcome().1 } else { Words::any(&mut random) };
                // Those whom the new rules let in stay, and no others.
                let answer = Client::request(&mut connection, "GET", "/api/system/stats", words);
                let stays = matches!(answer, Ok(200 | 503));
                assert_eq!(
                    stays,
                    rules.let_in(way, words),
                    "{number}: {way:?} {words:?} under {rules:?} after {before:?}: {answer:?}\n{}",
                    agent.log().lines().rev().take(12).collect::<Vec<_>>().join("\n")
                );
            }
            for _ in 0..4 {
                let (way, words) = if random.below(3) == 0 {
                    (rules.welcome().0, Words::any(&mut random))
                } else {
                    (
                        Way::any(&mut random),
                        if random.below(2) == 0 { rules.welcome().1 } else { Words::any(&mut random) },
                    )
                };
                let mut connected = client.connect(way);
                let answer = match &mut connected {
                    Ok(connection) => Client::request(connection, "GET", "/api/system/stats", words),
                    Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                };
                let let_in = matches!(answer, Ok(200 | 503));
                assert_eq!(
                    let_in,
                    rules.let_in(way, words),
                    "{number}: {way:?} {words:?} under {rules:?} after {before:?}: {answer:?}\n{}",
                    agent.log().lines().rev().take(25).collect::<Vec<_>>().join("\n")
                );
                let connection = connected.ok();
                kept.extend(connection.filter(|_| let_in).map(|connection| (rules.shown(way), connection)));
            }
            // And those whom these rules want are served.
            let (way, words) = rules.welcome();
            let mut connection = client.connect(way).unwrap();
            assert!(Client::is_let_in(&mut connection, words), "{number}: {rules:?}");
            kept.push((rules.shown(way), connection));
        }
    });
    assert!(refused > 5 && refused < RELOADS - 20, "{refused} of {RELOADS} were refused");
    assert!(during.load(Relaxed) > RELOADS, "only {during:?} requests succeeded meanwhile");
}
