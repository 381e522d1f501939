//! The binary in systems that have next to nothing: no user but root, no certificates, no locale.

use std::{env, fs, path::PathBuf};

use aura_tests::{Setup, aura, skip};
use rustix::mount::mount_bind;

use crate::audit_mount::Mounted;

#[test]
#[ignore = "bare systems of Debian, made by debootstrap: make e2e roots"]
fn in_a_bare_system_it_samples_and_serves() {
    let Some(roots) = env::var_os("AURA_TEST_ROOTS").map(PathBuf::from) else {
        return skip("bare systems (make e2e roots)");
    };
    let mut systems = 0;
    for root in fs::read_dir(roots).unwrap().map(|entry| entry.unwrap().path()) {
        let copy = root.join("aura");
        fs::copy(aura(), &copy).unwrap();
        let procfs = root.join("proc");
        mount_bind("/proc", &procfs).unwrap();
        let _mounted = Mounted(procfs);
        let sample = Setup::inside(&root, "/aura").listen(None).argument("sample").argument("host").fail();
        assert_eq!(sample.code, Some(0), "{}: {}", root.display(), sample.log);
        let agent = Setup::inside(&root, "/aura").start();
        let scrape = agent.scrape("/metrics");
        assert!(scrape.get("node_memory_MemTotal_bytes", &[]).is_some(), "{}", root.display());
        assert!(scrape.get("node_load1", &[]).is_some() && agent.get("/").status == 200, "{}", root.display());
        systems += 1;
    }
    assert!(systems > 0, "no system");
}
