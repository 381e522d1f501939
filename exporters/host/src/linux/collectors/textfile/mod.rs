//! Metrics that other programs leave in files: every `*.prom` in a directory, in the Prometheus text format. A file
//! is parsed again only when its time, size or inode changed.
//!
//! A file is taken whole or not at all, since half of it may be the half that was written when we looked: write to a
//! temporary name and rename. What clashes with another file or with a collector of ours costs the clashing family or
//! series alone, and `node_textfile_scrape_error` says so.

mod merge;

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use aura_exposition::{TextFamily, parse};
use aura_model::{Context, Emit, Family, FileStamp, Metric, Missing, Unit, rows, unknown};
use serde::Serialize;
use tracing::warn;

use self::merge::{Merged, Ours, merge};
use super::{Collector, some};
use crate::{HostOptions, linux::kernel::file::Buffer};

/// Beyond this a file is refused.
const LARGEST: u64 = 4 << 20;
/// Files that are taken at most, over all directories.
const MOST_FILES: usize = 1000;

/// What the files say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Textfile {
    /// The files that were taken, and when they were written, in seconds since 1970.
    pub files: Vec<(Arc<str>, f64)>,
    /// Whether anything was refused; the log says what.
    pub error: bool,
    #[serde(skip)]
    families: Arc<Vec<TextFamily>>,
}

pub(super) const METRICS: &[Metric<Textfile>] = rows! { |reading|
    for (file, written) in &reading.files => { file } {
        gauge "node_textfile_mtime_seconds" in Seconds = *written, "Unixtime mtime of textfiles successfully read.";
    }
    gauge "node_textfile_scrape_error" = reading.error, "1 if there was an error opening or reading a file, 0 otherwise";
    unknown("*", "Metrics from text files, under the names they have there.", Unit::None, &[], |reading, emit| {
        for family in &*reading.families {
            show(family, emit);
        }
    });
};

fn show(family: &TextFamily, emit: &mut dyn Emit) {
    let help = family.help.as_deref().unwrap_or("Metric read from a text file.");
    emit.family(&Family { name: &family.name, help, kind: family.kind, unit: Unit::None, labels: &[] });
    let mut labels = Vec::new();
    for series in &family.series {
        labels.clear();
        labels.extend(series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        emit.labelled(series.suffix, &labels, series.value.into());
    }
}

pub(super) struct Reader {
    directory: Option<PathBuf>,
    files: HashMap<PathBuf, Kept>,
    ours: Ours,
    /// The last merge, of the files' contents as they were then.
    merged: Merged,
    /// Said already, so that the log does not repeat it each second.
    said: HashSet<String>,
}

/// A file as it was when it was parsed.
struct Kept {
    stamp: FileStamp,
    /// When it was written, in whole seconds, as node_exporter has it.
    written: f64,
    path: Arc<str>,
    content: Result<Arc<Vec<TextFamily>>, String>,
}

impl Collector for Reader {
    type Reading = Textfile;

    fn open(options: &HostOptions, context: &Context) -> Self {
        Self {
            directory: options.textfile.directory.as_deref().filter(|path| !path.is_empty()).map(PathBuf::from),
            files: HashMap::new(),
            ours: Ours::new(&context.declared),
            merged: Merged::default(),
            said: HashSet::new(),
        }
    }

    fn read(&mut self, _: &mut Buffer) -> Result<Textfile, Missing> {
        let Some(directory) = &self.directory else {
            return Ok(Textfile { files: Vec::new(), error: false, families: Arc::default() });
        };
        let (paths, mut problems) = list(directory);
        let mut changed = false;
        self.files.retain(|path, _| {
            let stays = paths.contains(path);
            changed |= !stays;
            stays
        });
        for path in &paths {
            match stamp(path) {
                Ok((stamp, _)) if self.files.get(path).is_some_and(|kept| kept.stamp == stamp) => {}
                Ok((stamp, written)) => {
                    changed = true;
                    let content = take(path, &stamp);
                    let kept = Kept { stamp, written, path: path.to_string_lossy().into(), content };
                    self.files.insert(path.clone(), kept);
                }
                Err(problem) => {
                    changed |= self.files.remove(path).is_some();
                    problems.push(problem);
                }
            }
        }
        let kept: Vec<&Kept> = paths.iter().filter_map(|path| self.files.get(path)).collect();
        if changed {
            self.merged = merge(&kept, &self.ours);
        }
        problems.extend(kept.iter().filter_map(|file| file.content.as_ref().err().cloned()));
        problems.extend_from_slice(&self.merged.clashes);
        self.said.retain(|said| problems.contains(said));
        for problem in &problems {
            if self.said.insert(problem.clone()) {
                warn!("text files: {problem}");
            }
        }
        let files = kept.iter().filter(|file| file.content.is_ok()).map(|file| (file.path.clone(), file.written));
        Ok(Textfile { files: files.collect(), error: !problems.is_empty(), families: self.merged.families.clone() })
    }

    fn watched(reading: &Textfile) -> Option<String> {
        some(reading.files.len(), "text file")
    }
}

/// The files to look at, sorted, and what could not be listed.
fn list(pattern: &Path) -> (Vec<PathBuf>, Vec<String>) {
    let mut problems = Vec::new();
    let mut paths = Vec::new();
    let mut directories = expand(pattern);
    if directories.is_empty() {
        directories.push(pattern.to_owned());
    }
    for directory in directories {
        match fs::read_dir(&directory) {
            Ok(entries) => paths.extend(
                entries
                    .filter_map(|entry| Some(entry.ok()?.path()))
                    .filter(|path| path.extension().is_some_and(|extension| extension == "prom")),
            ),
            Err(error) => problems.push(format!("{}: {error}", directory.display())),
        }
    }
    paths.sort();
    if paths.len() > MOST_FILES {
        problems.push(format!("{}: more than {MOST_FILES} files; the others are left out", pattern.display()));
        paths.truncate(MOST_FILES);
    }
    (paths, problems)
}

/// The directories that a path with `*` and `?` in it means.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern {
        let text = part.to_string_lossy();
        if !text.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let inside = |folder: PathBuf| {
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
        };
        found = found
            .into_iter()
            .flat_map(inside)
            .filter(|path| path.file_name().is_some_and(|name| matches(&text, &name.to_string_lossy())))
            .collect();
    }
    found.retain(|path| path.is_dir());
    found
}

/// Whether a name is what a pattern means; as in a shell, `*` does not mean names that begin with a dot.
fn matches(pattern: &str, name: &str) -> bool {
    fn rest(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', after @ ..], _) => (0..=name.len()).any(|skip| rest(after, &name[skip..])),
            (['?', after @ ..], [_, name @ ..]) => rest(after, name),
            ([one, after @ ..], [other, name @ ..]) => one == other && rest(after, name),
            _ => false,
        }
    }
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    (pattern.starts_with('.') || !name.starts_with('.')) && rest(&letters(pattern), &letters(name))
}

fn stamp(path: &Path) -> Result<(FileStamp, f64), String> {
    let facts = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !facts.is_file() {
        return Err(format!("{}: not a file", path.display()));
    }
    Ok((FileStamp::of(&facts), facts.mtime() as f64))
}

fn take(path: &Path, stamp: &FileStamp) -> Result<Arc<Vec<TextFamily>>, String> {
    if stamp.size() > LARGEST {
        return Err(format!("{}: larger than 4 MiB", path.display()));
    }
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = aura_model::text(&bytes).map_err(|why| format!("{}: {why}", path.display()))?;
    let mut families = parse(text).map_err(|problem| format!("{}: {problem}", path.display()))?;
    for family in families.iter_mut().filter(|family| family.help.is_none()) {
        family.help = Some(format!("Metric read from {}", path.display()));
        family.help_is_ours = true;
    }
    Ok(Arc::new(families))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::testing;

    fn reader(directory: &str) -> Reader {
        let mut options = HostOptions::default();
        options.textfile.directory = Some(directory.to_owned());
        Reader::open(&options, &Context::default())
    }

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Reader) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let reader = reader(&folder.path().to_string_lossy());
        (folder, reader)
    }

    fn read(reader: &mut Reader) -> (String, bool) {
        let mut reading = reader.read(&mut Buffer::default()).unwrap();
        reading.files.clear();
        let error = reading.error;
        (testing::text(&METRICS[2..], &reading), error)
    }

    #[test]
    fn without_a_directory_the_error_is_zero_as_node_exporter_has_it() {
        let reading = Reader::open(&HostOptions::default(), &Context::default()).read(&mut Buffer::default()).unwrap();
        let text = testing::text(METRICS, &reading);
        assert!(text.ends_with("node_textfile_scrape_error 0\n"), "{text}");
        assert!(reader("/nonexistent/aura").read(&mut Buffer::default()).unwrap().error);
    }

    #[test]
    fn families_of_several_files_are_one_family_and_what_clashes_costs_itself_alone() {
        let (_folder, mut reader) = folder(&[
            ("a.prom", "# HELP jobs Jobs done.\n# TYPE jobs counter\njobs{by=\"a\"} 1\njobs{by=\"b\"} 2\n"),
            ("b.prom", "jobs_other 5\n# HELP jobs Jobs.\n# TYPE jobs counter\njobs{by=\"b\"} 3\njobs{by=\"c\"} 4\n"),
            ("c.prom", "# TYPE jobs gauge\njobs{by=\"d\"} 1\n"),
            ("d.prom", "node_load1 77\nnode_textfile_scrape_error 0\nfine 1\n"),
            ("ignored.txt", "broken{\n"),
        ]);
        let (text, error) = read(&mut reader);
        assert!(error);
        let path = reader.directory.clone().unwrap();
        insta::assert_snapshot!(text.replace(&*path.to_string_lossy(), "<directory>"));
        let clashes = reader.merged.clashes.join("\n");
        insta::assert_snapshot!(clashes.replace(&*path.to_string_lossy(), "<directory>"));
    }

    #[test]
    fn what_another_source_or_the_agent_declares_is_no_files_to_say() {
        let (folder, _) = folder(&[(
            "a.prom",
            "process_open_fds 3\npg_settings_x 1\n# TYPE pg_up COUNTER\npg_up 1\n# TYPE t gauge\nt_sum 1\naura_scrapes 1\nt 2\n",
        )]);
        let mut options = HostOptions::default();
        options.textfile.directory = Some(folder.path().to_string_lossy().into());
        let declared = ["process_open_fds", "pg_settings_*", "pg_up", "aura_scrapes_total", "*"];
        let mut reader = Reader::open(&options, &Context::default().with_declared(declared.into()));
        let (text, error) = read(&mut reader);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!((samples, error), (vec!["t 2", "t_sum 1"], true));
    }

    #[test]
    fn types_in_capitals_are_types() {
        let (_folder, mut reader) = folder(&[("a.prom", "# TYPE a GAUGE\na 1\n# TYPE b Counter\nb 1\n")]);
        let (text, error) = read(&mut reader);
        assert!(!error && text.contains("# TYPE a gauge\na 1\n") && text.contains("# TYPE b counter\nb 1\n"), "{text}");
    }

    #[test]
    fn a_broken_file_is_refused_whole_and_comes_back_when_it_is_mended() {
        let (folder, mut reader) = folder(&[("a.prom", "good 1\n"), ("b.prom", "torn 1\ntorn_too 2")]);
        let (text, error) = read(&mut reader);
        assert!(error && text.contains("good 1") && !text.contains("torn"), "{text}");
        fs::write(folder.path().join("b.prom"), "torn 1\ntorn_too 2\n").unwrap();
        let (text, error) = read(&mut reader);
        assert!(!error && text.contains("torn_too 2"), "{text}");
        fs::remove_file(folder.path().join("a.prom")).unwrap();
        assert!(!read(&mut reader).0.contains("good"));
    }

    #[test]
    fn a_file_is_parsed_again_only_when_it_changed() {
        let (folder, mut reader) = folder(&[("a.prom", "value 1\n")]);
        let first = reader.read(&mut Buffer::default()).unwrap().families;
        let again = reader.read(&mut Buffer::default()).unwrap().families;
        assert!(Arc::ptr_eq(&first, &again));
        // The same size and a new inode: how files should be replaced.
        let temporary = folder.path().join("a.prom.tmp");
        fs::write(&temporary, "value 2\n").unwrap();
        fs::rename(temporary, folder.path().join("a.prom")).unwrap();
        assert!(read(&mut reader).0.contains("value 2"));
    }

    #[test]
    fn a_pattern_means_several_directories() {
        let (folder, _) = folder(&[("one/x/a.prom", "a 1\n"), ("two/x/b.prom", "b 1\n"), (".three/x/c.prom", "c 1\n")]);
        let (text, error) = read(&mut reader(&folder.path().join("*/x").to_string_lossy()));
        assert!(!error && text.contains("a 1") && text.contains("b 1") && !text.contains("c 1"), "{text}");
    }

    #[test]
    fn a_pipe_is_not_waited_for_and_a_huge_file_is_not_read() {
        let (folder, mut reader) = folder(&[("a.prom", "a 1\n")]);
        let pipe = folder.path().join("pipe.prom");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        fs::File::create(folder.path().join("huge.prom")).unwrap().set_len(LARGEST + 1).unwrap();
        let (text, error) = read(&mut reader);
        assert!(error && text.contains("a 1"), "{text}");
    }
}
