//! No password is shown, however it is written.

use proptest::prelude::*;

use super::*;

/// Never a part of anything else.
const MARK: &str = "QXJ";

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// All forms in which a password may be written, rightly and wrongly.
fn forms(password: &str) -> Vec<String> {
    let (encoded, quoted) = (encoded(password), quoted(password));
    vec![
        format!("postgres://me:{encoded}@h:1/d"),
        format!("postgres://me:{password}@h:1/d"),
        format!("postgresql://me:{password}@h:1,g:2/d?sslmode=require"),
        format!("postgresql+psycopg2://me:{password}@h/d"),
        format!("postgres://me:{password}@/d?host=/tmp"),
        format!("postgres://h/d?user=me&password={encoded}"),
        format!("postgres://h/d?user=me&password={password}"),
        format!("postgres://h/d?password={password}&user=me"),
        format!("postgres://h/d?sslpassword={password}"),
        format!("postgres://h/d?oauth_client_secret={password}"),
        format!("postgres://me:x@h/d,postgres://me:{password}@g/e"),
        format!("postgres://me:{password}@h/d,postgres://me:x@g/e"),
        format!("host=h password='{quoted}' user=me"),
        format!("host=h password = '{quoted}' user=me"),
        format!("host=h user=me password={password}"),
        format!("host=h password={password} user=me"),
        format!("host=h password='{password}' user=me"),
        format!("host=h sslpassword='{quoted}'"),
        format!("mysql://me:{password}@h/d"),
        format!("me:{password}@h/d"),
        format!("password={password}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_password_is_shown_in_any_form(
        before in "[a-z0-9@/:?&=#%' \\\\,+]{0,8}", after in "[a-z0-9@/:?&=#%' \\\\,+]{0,8}", letters in "\\PC{0,3}"
    ) {
        for password in [format!("{before}{MARK}{after}"), format!("{letters}{MARK}{before}"), format!("1/{before}{MARK}")] {
            for url in forms(&password) {
                let typed = DatabaseUrl::from(url.clone());
                let options = server(&url);
                let mut seen = vec![typed.to_string(), format!("{typed:?}"), format!("{options:?}")];
                seen.push(serde_json::to_string(&options).unwrap());
                seen.extend(aura_model::Options::problems(&options).into_iter().map(|(_, problem)| problem));
                let named = ["DATABASE_URL", "DATA_SOURCE_NAME", "DATA_SOURCE_URI"].map(|name| vec![(name, url.as_str())]);
                let apart = vec![("DATA_SOURCE_URI", "h:1/d"), ("DATA_SOURCE_PASS", password.as_str())];
                for variables in [vec![], apart].into_iter().chain(named) {
                    let options = if variables.is_empty() { options.clone() } else { PostgresOptions::default() };
                    match found(&options, &variables) {
                        Ok(found) => seen.extend(found.targets.iter().flat_map(|target| {
                            let hosts = target.logins().unwrap().into_iter().map(|host| host.address);
                            let names = [target.name.to_string(), target.address.clone(), target.user().into(), target.database().into()];
                            hosts.chain(names).collect::<Vec<_>>()
                        })),
                        Err(missing) => seen.push(missing.to_string()),
                    }
                }
                for text in seen {
                    prop_assert!(!text.contains(MARK), "{}: {}", url, text);
                }
            }
        }
    }

    #[test]
    fn a_password_that_is_written_as_it_should_be_is_understood(password in "\\PC{1,12}") {
        let typed = [
            format!("postgres://me:{}@h:1/d", encoded(&password)),
            format!("postgres://h/d?user=me&password={}", encoded(&password)),
            format!("host=h password='{}' user=me", quoted(&password)),
        ];
        let apart = [("DATA_SOURCE_URI", "h:1/d"), ("DATA_SOURCE_PASS", &password)];
        let found = found(&PostgresOptions::default(), &apart).unwrap();
        let logins = found.targets[0].logins().unwrap();
        prop_assert_eq!(logins[0].config.get_password(), Some(password.as_bytes()));
        for url in typed {
            let target = target(&url, &[]).unwrap();
            let hosts = target.logins().unwrap();
            prop_assert_eq!(hosts[0].config.get_password(), Some(password.as_bytes()), "{}", url);
            prop_assert!(DatabaseUrl::from(url).to_string().contains("***"));
        }
    }
}
