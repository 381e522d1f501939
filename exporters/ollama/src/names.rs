//! Names of models as Ollama takes them: `T1`, `library/t1:latest` and `https://registry.ollama.ai/library/t1` all mean
//! `t1`.

use std::fmt::Write as _;

/// What stands for a part that a name leaves out.
const HOST: &str = "registry.ollama.ai";
const NAMESPACE: &str = "library";
const TAG: &str = "latest";

/// The parts of a name, what was left out filled in. Ollama compares them without regard to case.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    host: String,
    namespace: String,
    model: String,
    tag: String,
}

impl Parts {
    /// The parts, or what is wrong with the name.
    fn of(name: &str) -> Result<Self, String> {
        let name = name.trim();
        if name.is_empty() {
            return Err("it is empty".into());
        }
        // A colon before the last slash belongs to a port or a scheme.
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (name, TAG),
        };
        let (rest, model) = path.rsplit_once('/').map_or((None, path), |(rest, model)| (Some(rest), model));
        let (host, namespace) = match rest {
            None => (HOST, NAMESPACE),
            Some(rest) => rest.rsplit_once('/').unwrap_or((HOST, rest)),
        };
        let host = host.split_once("://").map_or(host, |(_, host)| host);
        for (what, part, longest, also) in [
            ("host", host, 350, "-_.:"),
            ("namespace", namespace, 80, "-_"),
            ("name", model, 80, "-_."),
            ("tag", tag, 80, "-_."),
        ] {
            check(part, longest, also).map_err(|problem| format!("its {what} {problem}"))?;
        }
        let [host, namespace, model, tag] = [host, namespace, model, tag].map(str::to_lowercase);
        Ok(Self { host, namespace, model, tag })
    }
}

fn check(part: &str, longest: usize, also: &str) -> Result<(), String> {
    let Some(first) = part.chars().next() else { return Err("is empty".into()) };
    if part.len() > longest {
        return Err(format!("is longer than {longest} bytes"));
    }
    if !first.is_ascii_alphanumeric() && first != '_' {
        return Err(format!("begins with {first:?}"));
    }
    match part.chars().find(|&letter| !letter.is_ascii_alphanumeric() && !also.contains(letter)) {
        Some(letter) => Err(format!("has {letter:?}")),
        None => Ok(()),
    }
}

/// Whether both mean one model. Names that Ollama would not take are the same only where they are written alike.
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    one == other || matches!((Parts::of(one), Parts::of(other)), (Ok(one), Ok(other)) if one == other)
}

/// The one of these that is meant: one that is written so before one that Ollama would take for it.
pub fn find_named<T>(all: &[T], name_of: impl Fn(&T) -> &str, asked: &str) -> Option<usize> {
    let written = |model: &T| name_of(model) == asked || name_of(model).strip_suffix(":latest") == Some(asked);
    all.iter().position(written).or_else(|| {
        let asked = Parts::of(asked).ok()?;
        all.iter().position(|model| Parts::of(name_of(model)).is_ok_and(|known| known == asked))
    })
}

/// Why Ollama takes no such name, if it does not.
#[must_use]
pub fn name_problem(asked: &str) -> Option<String> {
    let problem = Parts::of(asked).err()?;
    let mut text = format!("Ollama takes no such name: {problem}");
    if asked.contains('%') {
        text += "; it is percent-encoded twice";
    } else if asked.contains('@') {
        text += "; a digest is no tag";
    }
    Some(text)
}

/// What may be meant by a name that is not among these, as a hint; empty where nothing comes near.
#[must_use]
pub fn similar_names(known: &[&str], asked: &str) -> String {
    let Ok(asked) = Parts::of(asked) else { return String::new() };
    let tags: Vec<&str> =
        known.iter().filter(|name| Parts::of(name).is_ok_and(|known| known.model == asked.model)).copied().collect();
    let mut text = String::new();
    if !tags.is_empty() {
        let _ = write!(text, "there is {}", tags.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_taken_as_ollama_takes_it() {
        for (known, asked) in [
            ("t1:latest", "t1"),
            ("t1:latest", "T1"),
            ("t1:latest", "T1:LATEST"),
            ("t1:latest", "library/t1"),
            ("t1:latest", "registry.ollama.ai/library/t1"),
            ("t1:latest", "https://registry.ollama.ai/library/t1"),
            ("t1:latest", "t1 "),
            ("T4:Upper", "t4:upper"),
            ("team/t3:v1", "registry.ollama.ai/team/t3:v1"),
            ("team/t3:v1", "TEAM/T3:v1"),
            ("hf.co/local/T1-GGUF:Q4_K_M", "hf.co/Local/T1-GGUF:Q4_K_M"),
            ("hf.co/local/T1-GGUF:Q4_K_M", "hf.co/local/t1-gguf:q4_k_m"),
            ("registry.example.com:5000/team/t5:v1.0", "registry.example.com:5000/team/t5:v1.0"),
        ] {
            assert!(is_same_name(known, asked), "{asked}");
            assert_eq!(find_named(&["other:1", known], |name| name, asked), Some(1), "{asked}");
        }
        for (known, asked) in [
            ("t1:latest", "t1:v1"),
            ("t1:latest", "team/t1"),
            ("hf.co/local/t1:latest", "huggingface.co/local/t1"),
            ("registry.example.com:5000/team/t5:v1.0", "team/t5:v1.0"),
            ("t1:latest", ""),
        ] {
            assert!(!is_same_name(known, asked), "{asked}");
        }
    }

    #[test]
    fn a_name_that_ollama_refuses_is_told_with_what_is_wrong() {
        for (asked, word) in [
            ("t1:", "tag is empty"),
            ("t1@sha256:abc", "a digest is no tag"),
            ("Ünïcode", "begins with 'Ü'"),
            ("a b!", "has ' '"),
            ("", "empty"),
            ("team%2Ft3", "twice"),
            ("a/b.c/d", "namespace has '.'"),
        ] {
            let problem = name_problem(asked).unwrap_or_default();
            assert!(problem.contains(word), "{asked}: {problem}");
        }
        assert_eq!(name_problem("https://registry.ollama.ai/library/t1"), None);
        assert_eq!(similar_names(&["t1:latest", "t2:a"], "T1:v9"), "there is t1:latest");
    }

    #[test]
    fn one_that_is_written_so_comes_before_one_that_is_like_it() {
        assert_eq!(find_named(&["T1:latest", "t1:latest"], |name| name, "t1"), Some(1));
        assert_eq!(find_named(&["look alike!"], |name| name, "look alike!"), Some(0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_is_left_out_and_how_it_is_written_makes_no_other_model(
            model in "[a-z][a-z0-9._-]{0,20}", tag in "[a-z0-9][a-zA-Z0-9._-]{0,10}", upper in any::<bool>(),
        ) {
            let name = format!("{model}:{tag}");
            let whole = format!("https://registry.ollama.ai/library/{name}");
            let whole = if upper { whole.to_uppercase().replace("HTTPS", "https") } else { whole };
            prop_assert!(is_same_name(&name, &whole));
            let other = format!("team/{name}");
            prop_assert!(!is_same_name(&name, &other));
            prop_assert_eq!(name_problem(&whole), None);
        }

        #[test]
        fn no_text_is_too_odd(text in any::<String>()) {
            let _ = (name_problem(&text), similar_names(&[&text], &text));
            prop_assert!(is_same_name(&text, &text));
        }
    }
}
