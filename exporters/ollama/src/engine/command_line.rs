//! An engine's command line: which weights, where it listens, how many slots. Any user of the machine may start a process
//! with any arguments, so a value that makes no sense is left out, and said.

use aura_model::Name;

use super::EngineKind;

/// More than anybody has: what is larger is a mistake or a joke.
const MOST_SLOTS: u64 = 4096;
const MOST_CONTEXT: u64 = 1 << 40;
const MOST_LAYERS: u64 = 100_000;
/// A path is no longer, as Linux has it.
const LONGEST_PATH: usize = 4096;

/// What an engine was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommandLine {
    pub(crate) kind: EngineKind,
    pub(crate) file: Name,
    pub(crate) weights: Option<Name>,
    pub(crate) port: Option<u16>,
    pub(crate) slots: Option<u64>,
    /// Of one slot.
    pub(crate) context: Option<u64>,
    pub(crate) gpu_layers: Option<u64>,
    pub(crate) cache_type: Option<Name>,
    pub(crate) embedding: bool,
    /// What makes no sense, each in a few words.
    pub(crate) odd: Vec<String>,
}

/// What a program is called in `/proc/PID/comm`, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Program {
    Ollama,
    LlamaServer,
}

impl Program {
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"ollama" => Some(Self::Ollama),
            b"llama-server" => Some(Self::LlamaServer),
            _ => None,
        }
    }
}

/// What a process of one of these names is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Role {
    /// The server, or one whose command line does not say.
    Server {
        /// Its command line says so.
        serves: bool,
    },
    Engine(Box<CommandLine>),
    Other,
}

impl Role {
    /// Reads `/proc/PID/cmdline`: arguments that end with a NUL each.
    pub(crate) fn of(program: Program, text: &[u8]) -> Self {
        let arguments: Vec<&[u8]> = text.split(|&byte| byte == 0).collect();
        let after =
            |word: &[u8]| arguments.iter().position(|argument| *argument == word).map(|at| &arguments[at + 1..]);
        let engine =
            |kind, arguments| CommandLine::read(kind, arguments).map_or(Self::Other, |it| Self::Engine(it.into()));
        match program {
            Program::LlamaServer => engine(EngineKind::LlamaServer, arguments.get(1..).unwrap_or_default()),
            Program::Ollama => match after(b"runner") {
                Some(rest) => engine(EngineKind::Runner, rest),
                None => Self::Server { serves: after(b"serve").is_some() },
            },
        }
    }
}

impl CommandLine {
    /// The arguments behind the program's name; none where no model is among them.
    fn read(kind: EngineKind, arguments: &[&[u8]]) -> Option<Self> {
        let mut read = Self {
            kind,
            file: "".into(),
            weights: None,
            port: None,
            slots: None,
            context: None,
            gpu_layers: None,
            cache_type: None,
            embedding: false,
            odd: Vec::new(),
        };
        let mut whole = None;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let (option, joined) = match argument.iter().position(|&byte| byte == b'=') {
                Some(at) if argument.starts_with(b"--") => (&argument[..at], Some(&argument[at + 1..])),
                _ => (*argument, None),
            };
            let option = match std::str::from_utf8(option).unwrap_or_default() {
                "-m" => "--model",
                "-c" => "--ctx-size",
                "-np" => "--parallel",
                "-ngl" | "--gpu-layers" => "--n-gpu-layers",
                "-ctk" | "--kv-cache-type" => "--cache-type-k",
                "--embeddings" => "--embedding",
                other => other,
            };
            match option {
                "--embedding" => read.embedding = true,
                "--model" | "--ctx-size" | "--parallel" | "--n-gpu-layers" | "--cache-type-k" | "--port" => {
                    let Some(value) = joined.or_else(|| arguments.next().copied()) else { continue };
                    let value = String::from_utf8_lossy(&value[..value.len().min(LONGEST_PATH)]);
                    match option {
                        "--model" => read.file = (*value).into(),
                        "--ctx-size" => whole = read.number(option, &value, MOST_CONTEXT).filter(|&tokens| tokens > 0),
                        "--parallel" => read.slots = read.number(option, &value, MOST_SLOTS).filter(|&slots| slots > 0),
                        // `auto`, `all` and -1 leave it to the engine.
                        "--n-gpu-layers" if !value.starts_with(|first: char| first.is_ascii_digit()) => {}
                        "--n-gpu-layers" => read.gpu_layers = read.number(option, &value, MOST_LAYERS),
                        "--cache-type-k" => read.cache_type = read.word(option, &value),
                        _ => {
                            let port = read.number(option, &value, u16::MAX.into()).filter(|&port| port > 0);
                            read.port = port.and_then(|port| u16::try_from(port).ok());
                        }
                    }
                }
                _ => {}
            }
        }
        read.weights = weights(&read.file);
        // Old runners were given the context of one slot as a sum too.
        read.context = whole.zip(read.slots).map(|(tokens, slots)| tokens / slots);
        (!read.file.is_empty()).then_some(read)
    }

    /// What the sums of such engines are kept under.
    pub(crate) fn key(&self) -> &Name {
        self.weights.as_ref().unwrap_or(&self.file)
    }

    fn number(&mut self, option: &str, value: &str, most: u64) -> Option<u64> {
        let number = value.parse().ok().filter(|&number| number <= most);
        if number.is_none() {
            self.odd.push(format!("{option} {:?} makes no sense", value.chars().take(30).collect::<String>()));
        }
        number
    }

    fn word(&mut self, option: &str, value: &str) -> Option<Name> {
        let is_word =
            (1..=16).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_word {
            self.odd.push(format!("{option} makes no sense"));
        }
        is_word.then(|| value.into())
    }
}

/// SHA-256 in the name of a file of Ollama's store.
pub(crate) fn weights(file: &str) -> Option<Name> {
    let name = file.rsplit(['/', '\\']).next()?;
    let hex = name.strip_prefix("sha256-").or_else(|| name.strip_prefix("sha256:"))?;
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| hex.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(program: Program, arguments: &[&str]) -> Role {
        let mut text = arguments.join("\0").into_bytes();
        text.push(0);
        Role::of(program, &text)
    }

    fn engine(arguments: &[&str]) -> CommandLine {
        match of(Program::LlamaServer, arguments) {
            Role::Engine(engine) => *engine,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_of_ollama_0_33() {
        let hex = "ab".repeat(32);
        let file = format!("/usr/share/ollama/.ollama/models/blobs/sha256-{hex}");
        let read = engine(&[
            "/usr/local/lib/ollama/llama-server",
            "--model",
            &file,
            "--port",
            "40123",
            "--host",
            "127.0.0.1",
            "--no-webui",
            "--offline",
            "-c",
            "8192",
            "-np",
            "2",
            "--log-verbosity",
            "4",
            "--no-jinja",
            "--chat-template",
            "chatml",
            "--cache-type-k",
            "q8_0",
            "--cache-type-v",
            "q8_0",
            "--flash-attn",
            "auto",
            "-b",
            "512",
            "-ub",
            "512",
            "-ngl",
            "33",
        ]);
        assert_eq!((&*read.file, read.weights.as_deref()), (&*file, Some(&*hex)));
        assert_eq!(
            (read.port, read.slots, read.context, read.gpu_layers),
            (Some(40123), Some(2), Some(4096), Some(33))
        );
        assert_eq!((read.cache_type.as_deref(), read.embedding, read.odd), (Some("q8_0"), false, vec![]));
        let read = engine(&["llama-server", "--model=/b/sha256-x", "--port=1", "--embedding", "-c", "512", "-np", "1"]);
        assert_eq!((read.weights, read.port, read.embedding, read.context), (None, Some(1), true, Some(512)));
        assert_eq!(engine(&["x", "-m", "/m.gguf", "-ngl", "auto"]).odd, Vec::<String>::new());
    }

    #[test]
    fn what_an_ollama_is() {
        assert_eq!(of(Program::Ollama, &["/usr/local/bin/ollama", "serve"]), Role::Server { serves: true });
        assert_eq!(of(Program::Ollama, &["ollama", "run", "llama3"]), Role::Server { serves: false });
        let runner = ["/usr/local/bin/ollama", "runner", "--ollama-engine", "--model", "/b/sha256-1", "--port", "4000"];
        let Role::Engine(read) = of(Program::Ollama, &runner) else { panic!("an engine") };
        assert_eq!((read.kind, read.port, read.slots), (EngineKind::Runner, Some(4000), None));
        assert_eq!(of(Program::LlamaServer, &["llama-server", "--version"]), Role::Other, "it has no model");
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_said() {
        for (arguments, odd) in [
            (["--port", "99999"], 1),
            (["--port", "-1"], 1),
            (["--port", "0"], 0),
            (["-np", "0"], 0),
            (["-np", "1000000"], 1),
            (["-c", "many"], 1),
            (["-c", "99999999999999999999"], 1),
            (["--cache-type-k", "x\"} 1"], 1),
            (["-ngl", "4000000000"], 1),
        ] {
            let read = engine(&[&["llama-server", "--model", "/m"], &arguments[..]].concat());
            assert_eq!(read.odd.len(), odd, "{arguments:?}");
            let known = (read.port, read.slots, read.context, read.gpu_layers, read.cache_type);
            assert_eq!(known, (None, None, None, None, None), "{arguments:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            Role::of(Program::LlamaServer, &text);
            Role::of(Program::Ollama, &text);
        }

        #[test]
        fn options_in_any_order_read_the_same(
            values in (1_u16.., 1_u64..64, 1_u64..100_000),
            order in Just([0, 1, 2, 3]).prop_shuffle(),
            joined: bool,
        ) {
            let (port, slots, context) = values;
            let options = [
                ("--model", "/m/sha256-0".to_owned()),
                ("--port", port.to_string()),
                ("--parallel", slots.to_string()),
                ("--ctx-size", (context * slots).to_string()),
            ];
            let mut arguments = vec!["llama-server".to_owned()];
            for (option, value) in order.map(|at| options[at].clone()) {
                if joined {
                    arguments.push(format!("{option}={value}"));
                } else {
                    arguments.extend([option.to_owned(), value]);
                }
            }
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let read = engine(&arguments);
            prop_assert_eq!((read.port, read.slots, read.context), (Some(port), Some(slots), Some(context)));
        }
    }
}
