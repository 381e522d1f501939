use rustls::crypto::aws_lc_rs;

use super::*;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.renew();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn renew(&self) {
        let new = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.path("key"), new.signing_key.serialize_pem()).unwrap();
        fs::write(self.path("cert"), new.cert.pem()).unwrap();
    }

    fn open(&self) -> Certificates {
        let file = |name| Pem::File(self.path(name));
        Certificates::new(file("cert"), file("key"), Arc::new(aws_lc_rs::default_provider())).unwrap()
    }
}

#[test]
fn a_renewed_certificate_is_shown_after_a_second() {
    let files = Files::new();
    let certificates = files.open();
    let start = Instant::now();
    let first = certificates.at(start);
    files.renew();
    let soon = certificates.at(start + Duration::from_millis(100));
    assert!(Arc::ptr_eq(&first, &soon), "looked at the files for every connection");
    let later = certificates.at(start + Duration::from_secs(2));
    assert_ne!(first.cert, later.cert);
    let unchanged = certificates.at(start + Duration::from_secs(4));
    assert!(Arc::ptr_eq(&later, &unchanged), "read again without a change");
}

#[test]
fn a_broken_certificate_does_not_replace_a_good_one() {
    let files = Files::new();
    let certificates = files.open();
    let start = Instant::now();
    let first = certificates.at(start);
    let good = fs::read(files.path("key")).unwrap();
    for (second, broken) in [(2, "no key".as_bytes()), (4, b""), (6, &good[..good.len() / 2])] {
        fs::write(files.path("key"), broken).unwrap();
        assert!(Arc::ptr_eq(&first, &certificates.at(start + Duration::from_secs(second))));
    }
    fs::remove_file(files.path("key")).unwrap();
    assert!(Arc::ptr_eq(&first, &certificates.at(start + Duration::from_secs(8))));
    files.renew();
    assert_ne!(first.cert, certificates.at(start + Duration::from_secs(10)).cert);
}

#[test]
fn what_could_not_be_read_is_read_again_without_another_change() {
    let files = Files::new();
    let certificates = files.open();
    let start = Instant::now();
    let first = certificates.at(start);
    files.renew();
    // A failure that leaves no trace in the files, as that of a process that may open no more of them.
    let (good, written) = (fs::read(files.path("key")).unwrap(), fs::metadata(files.path("key")).unwrap().modified());
    let write = |content: &[u8]| {
        fs::write(files.path("key"), content).unwrap();
        let file = fs::File::options().write(true).open(files.path("key")).unwrap();
        file.set_modified(*written.as_ref().unwrap()).unwrap();
    };
    write(&vec![b'x'; good.len()]);
    assert!(Arc::ptr_eq(&first, &certificates.at(start + Duration::from_secs(2))));
    write(&good);
    assert_ne!(first.cert, certificates.at(start + Duration::from_secs(4)).cert);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (files, others) = (Files::new(), Files::new());
    fs::copy(others.path("key"), files.path("key")).unwrap();
    let file = |name| Pem::File(files.path(name));
    let opened = Certificates::new(file("cert"), file("key"), Arc::new(aws_lc_rs::default_provider()));
    assert!(opened.is_err_and(|message| message.contains("do not go together")));
}
