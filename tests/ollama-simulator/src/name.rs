//! Names of models as Ollama takes them: `[HOST/][NAMESPACE/]MODEL[:TAG]`, in small or large letters.

const HOST: &str = "registry.ollama.ai";
const NAMESPACE: &str = "library";
const TAG: &str = "latest";

/// A name in its parts, none of them empty.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    host: String,
    namespace: String,
    model: String,
    tag: String,
}

impl Name {
    /// Reads a name; none when it is none that Ollama takes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut tag = TAG;
        // A colon before the last slash belongs to a port.
        if let Some((before, after)) = rest.rsplit_once(':').filter(|(_, after)| !after.contains('/')) {
            (rest, tag) = (before, after);
        }
        let (mut host, mut namespace, mut model) = (HOST, NAMESPACE, rest);
        if let Some((before, after)) = rest.rsplit_once('/') {
            (namespace, model) = (before, after);
            if let Some((before, after)) = before.rsplit_once('/') {
                host = before.split_once("://").map_or(before, |(_, host)| host);
                namespace = after;
            }
        }
        let is_valid = is_part(host, 350, "-_.:")
            && is_part(namespace, 80, "-_")
            && is_part(model, 80, "-_.")
            && is_part(tag, 80, "-_.");
        let [host, namespace, model, tag] = [host, namespace, model, tag].map(str::to_owned);
        is_valid.then_some(Self { host, namespace, model, tag })
    }

    /// Whether both mean the same model.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let parts = |name: &Self| [&name.host, &name.namespace, &name.model, &name.tag].map(|part| part.to_lowercase());
        parts(self) == parts(other)
    }

    /// As lists show it: without what is the default, but with its tag.
    pub(crate) fn shown(&self) -> String {
        let Self { host, namespace, model, tag } = self;
        match (host.eq_ignore_ascii_case(HOST), namespace.eq_ignore_ascii_case(NAMESPACE)) {
            (true, true) => format!("{model}:{tag}"),
            (true, false) => format!("{namespace}/{model}:{tag}"),
            _ => format!("{host}/{namespace}/{model}:{tag}"),
        }
    }
}

fn is_part(part: &str, longest: usize, beside: &str) -> bool {
    let mut letters = part.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || beside.contains(letter))
        && part.len() <= longest
}

/// The name as lists show it; what is no name stays as it is.
pub(crate) fn shown(name: &str) -> String {
    Name::parse(name).map_or_else(|| name.to_owned(), |name| name.shown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_shown_as_ollama_does() {
        for (asked, expected) in [
            ("t1", "t1:latest"),
            ("t1 ", "t1:latest"),
            ("library/t1", "t1:latest"),
            ("registry.ollama.ai/library/t2:a", "t2:a"),
            ("https://registry.ollama.ai/library/t2:a", "t2:a"),
            ("team/t3:v1", "team/t3:v1"),
            ("registry.example.com:5000/team/t5:v1.0", "registry.example.com:5000/team/t5:v1.0"),
            ("hf.co/Local/T1-GGUF:Q4_K_M", "hf.co/Local/T1-GGUF:Q4_K_M"),
        ] {
            assert_eq!(shown(asked), expected);
        }
        for none in ["", "t1:", "a b!", "Ünïcode", "t1@sha256:..", "/t1", ":x"] {
            assert!(Name::parse(none).is_none(), "{none:?}");
        }
        let is = |one: &str, other: &str| Name::parse(one).unwrap().is(&Name::parse(other).unwrap());
        assert!(is("TEAM/T3:V1", "team/t3:v1") && !is("t1", "t2"));
    }
}
