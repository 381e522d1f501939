//! `${VARIABLE}` and `${VARIABLE:default}` inside the values of the file; `$$` is a dollar sign.
//!
//! A dollar sign before anything else stands for itself, so regular expressions need no care.

/// Looks an environment variable up.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The text with its variables filled in, or nothing when it has none. What a variable holds is not looked at
/// again.
///
/// # Errors
/// A sentence for the user, without the content of any variable.
pub(super) fn interpolate(text: &str, variables: &Variables<'_>) -> Result<Option<String>, String> {
    if !text.contains("${") && !text.contains("$$") {
        return Ok(None);
    }
    let mut filled = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        filled.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            filled.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = after.find('}').ok_or("${ without }: close it, or write $${ for the characters themselves")?;
            filled.push_str(&look_up(&after[..end], variables)?);
            rest = &after[end + 1..];
        } else {
            filled.push('$');
        }
    }
    filled.push_str(rest);
    Ok(Some(filled))
}

fn look_up(reference: &str, variables: &Variables<'_>) -> Result<String, String> {
    let (name, default) = match reference.split_once(':') {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err(format!("${{{reference}}} names no environment variable: write ${{NAME}} or ${{NAME:default}}"));
    }
    variables(name).filter(|value| !value.is_empty()).or(default.map(str::to_owned)).ok_or_else(|| {
        format!("environment variable {name} is not set: set it, or give a default with ${{{name}:default}}")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(text: &str) -> Result<Option<String>, String> {
        interpolate(text, &|name| match name {
            "HOME" => Some("/home/ada".to_owned()),
            "TRICK" => Some("${HOME}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn variables_and_defaults_are_filled_in() {
        for (text, filled) in [
            ("${HOME}/aura", "/home/ada/aura"),
            ("${PORT:9205}", "9205"),
            ("${URL:http://[::1]:80}", "http://[::1]:80"),
            ("${EMPTY:full}", "full"),
            ("a$${HOME}", "a${HOME}"),
            ("${TRICK}", "${HOME}"),
            ("${NOTHING:}", ""),
        ] {
            assert_eq!(fill(text), Ok(Some(filled.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_lone_dollar_is_a_dollar() {
        assert_eq!(fill("^/(dev|proc)($|/)"), Ok(None));
        assert_eq!(fill("${HOME}($|/)$"), Ok(Some("/home/ada($|/)$".to_owned())));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, word) in [("${ABSENT}", "ABSENT"), ("${HOME", "without }"), ("${a b}", "${a b}"), ("${}", "${}")] {
            let message = fill(text).expect_err(text);
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn escaped_text_comes_back_as_it_was(text in "[a-z${}: ]{0,30}") {
            let escaped = text.replace('$', "$$");
            prop_assert_eq!(fill(&escaped).unwrap().unwrap_or(escaped), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = fill(&text);
        }
    }
}
