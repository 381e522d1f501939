//! What /proc says of the processes that use a GPU.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use aura_model::Name;

use crate::reading::Process;

/// A command line is looked at this far: Ollama names its model among the first arguments.
const LONGEST_COMMAND: usize = 16 << 10;

/// The processes that were seen in the newest sample: what never changes of one is read once.
pub(crate) struct Processes {
    procfs: PathBuf,
    known: HashMap<u32, Known>,
    before: HashMap<u32, Known>,
}

struct Known {
    /// In ticks since the machine started: a process with this number and another start is another one.
    started: u64,
    name: Name,
    weights: Option<Name>,
}

impl Processes {
    pub(crate) fn new(procfs: &Path) -> Self {
        Self { procfs: procfs.to_owned(), known: HashMap::new(), before: HashMap::new() }
    }

    /// A sample begins: what is not seen in it is forgotten with the next.
    pub(crate) fn begin(&mut self) {
        self.before = std::mem::take(&mut self.known);
    }

    /// Adds what there is to know of a process; nothing when it is gone or hidden.
    pub(crate) fn complete(&mut self, process: &mut Process) {
        let folder = self.procfs.join(process.pid.to_string());
        let Some((name, started)) = std::fs::read(folder.join("stat")).ok().and_then(|stat| stat_of(&stat)) else {
            return;
        };
        let before = self.before.remove(&process.pid).or_else(|| self.known.remove(&process.pid));
        let known = match before.filter(|known| known.started == started) {
            // A name may be changed at any time.
            Some(known) if *known.name == *name => known,
            _ => Known { started, name: name.as_str().into(), weights: weights(&folder) },
        };
        process.name = Some(known.name.clone());
        process.weights.clone_from(&known.weights);
        self.known.insert(process.pid, known);
    }
}

/// The name in brackets, which may itself hold brackets and spaces, and field 22, the start.
fn stat_of(stat: &[u8]) -> Option<(String, u64)> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
    let started = std::str::from_utf8(&stat[close + 1..]).ok()?.split_ascii_whitespace().nth(19)?;
    Some((name, started.parse().ok()?))
}

fn weights(folder: &Path) -> Option<Name> {
    use std::io::Read;

    let mut command = Vec::new();
    let file = std::fs::File::open(folder.join("cmdline")).ok()?;
    file.take(LONGEST_COMMAND as u64).read_to_end(&mut command).ok()?;
    weights_of(&command)
}

/// The weights that a model's runner is started with: every version of Ollama hands them over as a file of its own
/// store, `--model /…/blobs/sha256-<hex>`, whatever program runs them.
fn weights_of(command: &[u8]) -> Option<Name> {
    let mut arguments = command.split(|&byte| byte == 0).filter_map(|argument| std::str::from_utf8(argument).ok());
    while let Some(argument) = arguments.next() {
        let path = match argument {
            "--model" | "-m" => arguments.next()?,
            _ => match argument.strip_prefix("--model=") {
                Some(path) => path,
                None => continue,
            },
        };
        return blob(path);
    }
    None
}

fn blob(path: &str) -> Option<Name> {
    let (folder, file) = path.rsplit_once('/')?;
    let hex = file.strip_prefix("sha256-").or_else(|| file.strip_prefix("sha256:"))?;
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    (folder.ends_with("/blobs") && is_digest).then(|| hex.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa";

    #[test]
    fn the_weights_are_those_of_ollamas_store_and_of_no_other_file() {
        let of = |line: &str| weights_of(line.replace(' ', "\0").as_bytes());
        for line in [
            format!("/usr/bin/ollama runner --model /root/.ollama/models/blobs/sha256-{HEX} --port 40531"),
            format!("ollama runner --ollama-engine --model /m/blobs/sha256-{HEX} --port 1"),
            format!("/tmp/ollama1/runners/cuda_v12/ollama_llama_server --model /m/blobs/sha256-{HEX} --ctx-size 8192"),
            format!("/usr/lib/ollama/llama-server -m /m/blobs/sha256-{HEX} --host 127.0.0.1"),
            format!("runner --model=/m/blobs/sha256:{HEX}"),
        ] {
            assert_eq!(of(&line).as_deref(), Some(HEX), "{line}");
        }
        for line in [
            "ollama serve".to_owned(),
            "llama-server -m /models/a.gguf".to_owned(),
            format!("llama-server -m /models/sha256-{HEX}"),
            format!("ollama runner --model /m/blobs/sha256-{} --port 1", &HEX[1..]),
            format!("cat /m/blobs/sha256-{HEX}"),
            "ollama runner --model".to_owned(),
            String::new(),
        ] {
            assert_eq!(of(&line), None, "{line}");
        }
    }

    #[test]
    fn a_process_whose_name_holds_brackets_is_read_as_any_other() {
        let rest = format!("S 1{} 4711 0", " 0".repeat(17));
        assert_eq!(stat_of(format!("9 (a) (b) {rest}").as_bytes()), Some(("a) (b".into(), 4711)));
        for torn in ["", "9 (a", "9 (a) S 1", ") 9 ("] {
            assert_eq!(stat_of(torn.as_bytes()), None, "{torn}");
        }
    }
}
