//! The stand-in for NVIDIA's library: built once with the C compiler, and loaded through the real path from a
//! folder of its own, so that each test has its own driver.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

/// The weights that process 4242 runs, as Ollama names their file.
pub(crate) const WEIGHTS: &str = "6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa";

/// A driver of one test, with its own /proc and /sys.
pub(crate) struct Driver {
    folder: TempDir,
}

impl Driver {
    /// The driver, or nothing where there is no C compiler.
    pub(crate) fn new() -> Option<Self> {
        static BUILT: Built = OnceLock::new();
        Self::with(&BUILT, &[])
    }

    /// A driver from before version 510.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn before_510() -> Option<Self> {
        static BUILT: Built = OnceLock::new();
        Self::with(&BUILT, &["-DBEFORE_510"])
    }

    fn with(library: &'static Built, flags: &[&str]) -> Option<Self> {
        let library = built(library, flags)?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(library, folder.path().join("libnvidia-ml.so.1")).unwrap();
        let runner =
            format!("/usr/bin/ollama\0runner\0--model\0/root/.ollama/models/blobs/sha256-{WEIGHTS}\0--port\x0040531\0");
        for (pid, name, command) in [(4242, "ollama", &*runner), (77, "Xorg", "/usr/lib/Xorg\0:0\0")] {
            let process = folder.path().join("proc").join(pid.to_string());
            std::fs::create_dir_all(&process).unwrap();
            let started = format!("{pid} ({}) S 1{} 9000 0 0\n", name, " 0".repeat(17));
            std::fs::write(process.join("stat"), started).unwrap();
            std::fs::write(process.join("cmdline"), command).unwrap();
        }
        std::fs::create_dir_all(folder.path().join("sys/bus/pci/devices")).unwrap();
        Some(Self { folder })
    }

    /// What happens from now on.
    pub(crate) fn scenario(&self, words: &str) {
        self.put("scenario", words);
    }

    /// Reports errors: lines of a card and a code.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn events(&self, lines: &str) {
        self.put("events", lines);
    }

    /// Renamed into place: the library reads it at any time.
    fn put(&self, name: &str, text: &str) {
        let new = self.folder.path().join(format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    /// Puts a card on the bus, as the kernel shows it.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn plug_in(&self, bus_id: &str, driver: &str) {
        let device = self.folder.path().join("sys/bus/pci/devices").join(bus_id);
        std::fs::create_dir_all(&device).unwrap();
        std::os::unix::fs::symlink(Path::new("../../drivers").join(driver), device.join("driver")).unwrap();
        for (file, text) in [("vendor", "0x10de\n"), ("device", "0x2330\n"), ("class", "0x030200\n")] {
            std::fs::write(device.join(file), text).unwrap();
        }
    }

    /// The library.
    pub(crate) fn library(&self) -> PathBuf {
        self.folder.path().join("libnvidia-ml.so.1")
    }

    /// The roots of /proc and /sys.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn paths(&self) -> aura_model::Paths {
        let root = self.folder.path();
        aura_model::Paths { procfs: root.join("proc"), sysfs: root.join("sys"), ..Default::default() }
    }
}

type Built = OnceLock<Option<(TempDir, PathBuf)>>;

fn built(built: &'static Built, flags: &[&str]) -> Option<&'static Path> {
    let built = built.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("nvml.c"), folder.path().join("nvml.so"));
        std::fs::write(&source, include_str!("nvml.c")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1"]).args(flags).arg("-o").arg(&library).arg(&source).arg("-ldl");
        let compile = compiler.status();
        match compile {
            Ok(status) => {
                assert!(status.success(), "the stand-in for NVIDIA's library does not compile");
                Some((folder, library))
            }
            Err(error) => {
                eprintln!("{error}");
                None
            }
        }
    });
    if built.is_none() {
        aura_tests::skip("cc");
    }
    built.as_ref().map(|(_, library)| library.as_path())
}
