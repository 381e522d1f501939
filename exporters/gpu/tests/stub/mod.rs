//! The stand-in for NVIDIA's library: built once with the C compiler, and loaded through the real path from a
//! folder of its own, so that each test has its own driver.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

/// A driver of one test, with its own /proc and /sys.
pub(crate) struct Driver {
    folder: TempDir,
}

impl Driver {
    /// The driver, or nothing where there is no C compiler.
    pub(crate) fn new() -> Option<Self> {
        let library = built()?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(library, folder.path().join("libnvidia-ml.so.1")).unwrap();
        for (pid, name) in [(4242, "ollama\n"), (77, "Xorg\n")] {
            let process = folder.path().join("proc").join(pid.to_string());
            std::fs::create_dir_all(&process).unwrap();
            std::fs::write(process.join("comm"), name).unwrap();
        }
        std::fs::create_dir_all(folder.path().join("sys/bus/pci/devices")).unwrap();
        Some(Self { folder })
    }

    /// What happens from now on.
    pub(crate) fn scenario(&self, words: &str) {
        // Renamed into place: the library reads it at any time.
        let new = self.folder.path().join("scenario.new");
        std::fs::write(&new, words).unwrap();
        std::fs::rename(new, self.folder.path().join("scenario")).unwrap();
    }

    /// Reports errors: lines of a card and a code.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn events(&self, lines: &str) {
        std::fs::write(self.folder.path().join("events"), lines).unwrap();
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

fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("nvml.c"), folder.path().join("nvml.so"));
        std::fs::write(&source, include_str!("nvml.c")).unwrap();
        let compile =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
        match compile {
            Ok(status) => {
                assert!(status.success(), "the stand-in for NVIDIA's library does not compile");
                Some((folder, library))
            }
            Err(error) => {
                assert!(std::env::var_os("AURA_TEST_STRICT").is_none(), "cc: {error}");
                eprintln!("skipped: needs cc ({error})");
                None
            }
        }
    });
    built.as_ref().map(|(_, library)| library.as_path())
}
