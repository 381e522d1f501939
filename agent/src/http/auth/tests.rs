use http::HeaderValue;

use http::header::RETRY_AFTER;

use super::*;
use crate::http::web_config::WebConfig;

fn authenticator() -> Arc<Authenticator> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yaml");
    let hash = |password: &str, cost| bcrypt::hash(password, cost).unwrap();
    let text = format!("basic_auth_users:\n  ada: {}\n  bob: '{}'\n", hash("wonder:land", 4), hash("sponge", 5));
    std::fs::write(&file, text.replace("$2b$", "$2y$")).unwrap();
    WebConfig::load(&file).unwrap_or_else(|problems| panic!("{problems}")).authenticator().unwrap()
}

fn headers(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
}

fn basic(pair: &str) -> HeaderMap {
    headers(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn the_right_pair_comes_in_and_no_other() {
    let authenticator = authenticator();
    block_on(async {
        for _ in 0..2 {
            assert_eq!(authenticator.check(&basic("ada:wonder:land")).await, Ok("ada".to_owned()));
        }
        for pair in ["ada:wonder", "ada:", "bob:wonder:land", "eve:wonder:land", ":", "eve:sponge", "ada"] {
            assert_eq!(authenticator.check(&basic(pair)).await, Err(Refusal::Unauthorized), "{pair}");
        }
        // The decoy is bob's hash: his password is no way in for a name that nobody has.
        assert_eq!(authenticator.check(&basic("bob:sponge")).await, Ok("bob".to_owned()));
    });
}

#[test]
fn what_is_no_basic_authorization_is_refused_without_work() {
    let authenticator = authenticator();
    let long = format!("Basic {}", BASE64_STANDARD.encode("a".repeat(2000)));
    block_on(async {
        for value in ["", "Basic", "Basic !!!", "Bearer abc", "Digest YTpi", "Basic YWRh", &long] {
            assert_eq!(authenticator.check(&headers(value)).await, Err(Refusal::Unauthorized), "{value:?}");
        }
        assert_eq!(authenticator.check(&HeaderMap::new()).await, Err(Refusal::Unauthorized));
    });
}

#[test]
fn a_good_pair_needs_no_second_check_and_a_bad_one_always_does() {
    let authenticator = authenticator();
    block_on(async {
        authenticator.check(&basic("ada:wonder:land")).await.unwrap();
        // With nobody left to work, only what is remembered can come in.
        authenticator.waiting.close();
        assert_eq!(authenticator.check(&basic("ada:wonder:land")).await, Ok("ada".to_owned()));
        assert_eq!(authenticator.check(&basic("ada:wonder")).await, Err(Refusal::Busy));
        assert_eq!(authenticator.check(&basic("bob:sponge")).await, Err(Refusal::Busy));
    });
}

#[test]
fn what_is_remembered_is_bounded_and_keyed() {
    let (first, second) = (authenticator(), authenticator());
    for number in 0..1000 {
        first.remember(first.tag("ada", format!("{number}").as_bytes()));
    }
    assert_eq!(first.good.lock().unwrap().len(), REMEMBERED);
    assert!(first.remembered(&first.tag("ada", b"999")) && !first.remembered(&first.tag("ada", b"0")));
    assert_ne!(first.tag("ada", b"999"), second.tag("ada", b"999"), "the key is always the same");
}

#[test]
fn a_flood_of_wrong_passwords_is_bounded() {
    let authenticator = authenticator();
    block_on(async {
        let wrong = basic("ada:wrong");
        let checks: Vec<_> = (0..WAITING * 3)
            .map(|_| {
                let (authenticator, wrong) = (authenticator.clone(), wrong.clone());
                tokio::spawn(async move { authenticator.check(&wrong).await })
            })
            .collect();
        let mut busy = 0;
        for check in checks {
            let refusal = check.await.unwrap().unwrap_err();
            busy += usize::from(refusal == Refusal::Busy);
        }
        assert!(busy >= WAITING, "only {busy} were sent away");
        assert!(authenticator.check(&basic("ada:wonder:land")).await.is_ok(), "the flood closed the door");
    });
}

#[test]
fn refusals_have_the_apis_body() {
    for (refusal, status, header) in [
        (Refusal::Unauthorized, StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE),
        (Refusal::Busy, StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER),
        (Refusal::TooMany { retry_after_s: 3 }, StatusCode::TOO_MANY_REQUESTS, RETRY_AFTER),
    ] {
        let response = refusal.into_response();
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key(header));
        let body = block_on(axum::body::to_bytes(response.into_body(), 10_000)).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let keys: Vec<_> = body["error"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["code", "hint", "message", "retry_after_s"]);
    }
}
