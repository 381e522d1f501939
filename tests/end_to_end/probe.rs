//! Database servers that a request names: what may be asked, and what each refusal says.

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use aura_tests::{Agent, Setup};

fn with(targets: &[SocketAddr]) -> Agent {
    let targets: Vec<String> = targets.iter().map(|target| format!("{:?}", target.to_string())).collect();
    let probe = format!(
        "{{timeout: 1s, targets: [{}], modules: [{{name: watch, user: aura, database: postgres}}]}}",
        targets.join(", ")
    );
    Setup::default().config(&format!("sources: {{postgres: {{probe: {probe}}}}}\n")).start()
}

/// Addresses where nobody listens, all different.
fn free<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let listeners: [TcpListener; COUNT] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a listener"));
    listeners.map(|listener| listener.local_addr().expect("an address"))
}

#[test]
fn nothing_is_probed_unless_it_is_configured() {
    let agent = Setup::default().start();
    let answer = agent.get("/probe?target=127.0.0.1:5432&auth_module=watch");
    assert_eq!((answer.status, answer.error_code().as_str()), (404, "not_configured"));
    assert!(answer.text().contains("sources.postgres.probe.targets"), "{}", answer.text());
}

#[test]
fn each_refusal_says_what_to_change() {
    let [target, other] = free();
    let agent = with(&[target]);
    for (query, status, code, hint) in [
        (String::new(), 400, "bad_target", "auth_module=name"),
        ("?target=".into(), 400, "bad_target", "auth_module=name"),
        (format!("?target={target}?sslmode=disable&auth_module=watch"), 400, "bad_target", "the module says all else"),
        (format!("?target=user:secret@{target}&auth_module=watch"), 400, "bad_target", "the module says all else"),
        (format!("?target={target}"), 400, "unknown_module", "watch"),
        (format!("?target={target}&auth_module=other"), 400, "unknown_module", "watch"),
        (format!("?target={other}&auth_module=watch"), 403, "target_not_allowed", "sources.postgres.probe.targets"),
    ] {
        let answer = agent.get(&format!("/probe{query}"));
        assert_eq!((answer.status, answer.error_code().as_str()), (status, code), "{query}");
        assert!(answer.text().contains(hint), "{query}: {}", answer.text());
        assert!(!answer.text().contains("pg_up"), "{query}");
    }
}

#[test]
fn a_target_that_is_away_or_hangs_is_down_and_holds_up_nobody() {
    let hung = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let ([gone], hung_at) = (free(), hung.local_addr().expect("an address"));
    let agent = with(&[gone, hung_at]);
    let away = agent.scrape(&format!("/probe?target={gone}&auth_module=watch"));
    assert_eq!(away.value("pg_up", &[]), 0.0);
    assert_eq!(away.value("aura_postgres_missing_info", &[("part", "server"), ("reason", "unreachable")]), 1.0);
    std::thread::scope(|scope| {
        let began = Instant::now();
        let probes: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| agent.scrape(&format!("/probe?target={hung_at}&auth_module=watch"))))
            .collect();
        // Others are answered meanwhile.
        let first = agent.scrape("/metrics/aura").value("aura_source_samples_total", &[("source", "host")]);
        aura_tests::wait_until("more samples of the host", || {
            agent.scrape("/metrics/aura").value("aura_source_samples_total", &[("source", "host")]) > first
        });
        for probe in probes {
            assert_eq!(probe.join().expect("an answer").value("pg_up", &[]), 0.0);
        }
        assert!(began.elapsed() >= Duration::from_secs(1));
    });
}
