//! How far apart attempts are.

use std::net::TcpListener;

use aura_tests::{Setup, wait_until};

#[test]
fn no_wait_between_two_attempts_is_longer_than_the_ceiling_of_tests() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    nobody.set_nonblocking(true).unwrap();
    let config = format!(
        "sources: {{postgres: {{interval: 100ms, servers: [{{url: 'postgres://aura@{}/aura'}}]}}}}\n",
        nobody.local_addr().unwrap()
    );
    let agent = Setup::default().variable("AURA_BACKOFF_CEILING", "100ms").config(&config).start();
    let mut attempts = 0;
    // At PostgreSQL's own ceiling there are ten in the time that a test waits.
    wait_until("twenty attempts", || {
        attempts += usize::from(nobody.accept().is_ok());
        attempts == 20
    });
    assert!(!agent.log().contains("AURA_BACKOFF_CEILING"), "it is no setting: {}", agent.log());
}
