//! A network of its own between the source and the server, in which packets are really lost.

use std::{
    fs::File,
    net::TcpListener,
    os::fd::AsFd,
    process::{Command, Stdio},
};

use aura_postgres::ServerOptions;
use aura_tests::PostgresServer;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    outages::{back, connects, unanswered},
    relay::Relay,
    watch::{at, open, sample, statistics},
};

/// Two ends of a wire; the far one is in a name space.
struct Network {
    name: String,
    near: String,
    far: String,
}

impl Network {
    /// Made by `ip`; none without it or without the right to do so.
    fn new() -> Option<Self> {
        let (id, part) = (std::process::id(), std::process::id() % 250);
        let network =
            Self { name: format!("aura{id}"), near: format!("10.213.{part}.1"), far: format!("10.213.{part}.2") };
        let Network { name, near, far } = &network;
        if !ip(&format!("netns add {name}")) {
            eprintln!("skipped: needs ip and the right to make networks");
            return None;
        }
        for command in [
            format!("link add au{id} type veth peer name far netns {name}"),
            format!("address add {near}/30 dev au{id}"),
            format!("link set au{id} up"),
            format!("-n {name} address add {far}/30 dev far"),
            format!("-n {name} link set far up"),
        ] {
            assert!(ip(&command), "ip {command}");
        }
        Some(network)
    }

    /// A listener at the far end.
    fn listen(&self) -> TcpListener {
        let (space, address) = (format!("/run/netns/{}", self.name), format!("{}:0", self.far));
        // Only this thread moves there; the listener stays there after it has ended.
        let thread = std::thread::spawn(move || {
            let space = File::open(space).unwrap();
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            TcpListener::bind(address).unwrap()
        });
        thread.join().unwrap()
    }

    /// From now on nothing that the far end sends arrives, or all of it again.
    fn lose(&self, packets: bool) {
        let change = if packets { "add" } else { "del" };
        assert!(ip(&format!("-n {} route {change} blackhole {}/32", self.name, self.near)));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The wire goes with the end that is in it.
        ip(&format!("netns del {}", self.name));
    }
}

fn ip(arguments: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn lost_packets_are_noticed_and_the_connection_made_anew() {
    let Some(server) = PostgresServer::start("") else { return };
    let Some(network) = Network::new() else { return };
    let relay = Relay::on(network.listen(), server.port());
    let mut source = open(ServerOptions { host: Some(network.far.clone()), ..at(relay.port, "postgres") });
    let first = sample(&mut source);
    statistics(&first);
    for round in 1..3 {
        network.lose(true);
        unanswered(&mut source);
        network.lose(false);
        assert_eq!(connects(&back(&mut source)), round + 1);
    }
}
