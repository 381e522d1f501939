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

async fn ask(authenticator: &Authenticator, headers: &HeaderMap) -> Result<String, Refusal> {
    authenticator.check(headers, [127, 0, 0, 1].into()).await.map(|user| user.name.clone())
}

fn tag(authenticator: &Authenticator, password: &str) -> [u8; 32] {
    authenticator.checker.tag(&authenticator.users["ada"].hash, "ada", password.as_bytes())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn the_right_pair_comes_in_and_no_other() {
    let authenticator = authenticator();
    block_on(async {
        for _ in 0..2 {
            assert_eq!(ask(&authenticator, &basic("ada:wonder:land")).await, Ok("ada".to_owned()));
        }
        for pair in ["ada:wonder", "ada:", "bob:wonder:land", "eve:wonder:land", ":", "eve:sponge", "ada"] {
            assert_eq!(ask(&authenticator, &basic(pair)).await, Err(Refusal::Unauthorized), "{pair}");
        }
        // The decoy is bob's hash: his password is no way in for a name that nobody has.
        assert_eq!(ask(&authenticator, &basic("bob:sponge")).await, Ok("bob".to_owned()));
    });
}

#[test]
fn what_is_no_basic_authorization_is_refused_without_work() {
    let authenticator = authenticator();
    let long = format!("Basic {}", BASE64_STANDARD.encode("a".repeat(2000)));
    block_on(async {
        for value in ["", "Basic", "Basic !!!", "Bearer abc", "Digest YTpi", "Basic YWRh", &long] {
            assert_eq!(ask(&authenticator, &headers(value)).await, Err(Refusal::Unauthorized), "{value:?}");
        }
        assert_eq!(ask(&authenticator, &HeaderMap::new()).await, Err(Refusal::Unauthorized));
    });
}

#[test]
fn a_good_pair_needs_no_second_check_and_a_bad_one_always_does() {
    let authenticator = authenticator();
    block_on(async {
        ask(&authenticator, &basic("ada:wonder:land")).await.unwrap();
        assert!(ask(&authenticator, &basic("ada:wonder")).await.is_err());
        let good = authenticator.checker.good.lock().unwrap().clone();
        assert_eq!(good, [tag(&authenticator, "wonder:land")]);
    });
}

#[test]
fn other_users_leave_what_is_remembered_of_those_who_stay() {
    let old = authenticator();
    block_on(async { ask(&old, &basic("ada:wonder:land")).await.unwrap() });
    let user = |name: &str, hash: &Secret| (name.to_owned(), Arc::new(User { name: name.into(), hash: hash.clone() }));
    let (ada, bob) = (&old.users["ada"], &old.users["bob"]);
    let with = |users| Authenticator { users, decoy: old.decoy.clone(), checker: Arc::clone(&old.checker) };
    let stays = with(BTreeMap::from([user("ada", &ada.hash), user("eve", &bob.hash)]));
    assert!(stays.checker.remembered(&tag(&stays, "wonder:land")) && stays.has(ada) && !stays.has(bob));
    // With another hash the old password is wrong, whatever was remembered; and it is not bob's.
    let changed = with(BTreeMap::from([user("ada", &bob.hash)]));
    assert!(!changed.checker.remembered(&tag(&changed, "wonder:land")) && !changed.has(ada));
    block_on(async {
        assert_eq!(ask(&changed, &basic("ada:wonder:land")).await, Err(Refusal::Unauthorized));
        assert_eq!(ask(&changed, &basic("ada:sponge")).await, Ok("ada".to_owned()));
        let gone = with(BTreeMap::from([user("bob", &bob.hash)]));
        assert_eq!(ask(&gone, &basic("ada:wonder:land")).await, Err(Refusal::Unauthorized));
    });
}

#[test]
fn what_is_remembered_is_bounded_and_keyed() {
    let (first, second) = (authenticator(), authenticator());
    for number in 0..1000 {
        first.checker.remember(tag(&first, &number.to_string()));
    }
    assert_eq!(first.checker.good.lock().unwrap().len(), REMEMBERED);
    assert!(first.checker.remembered(&tag(&first, "999")) && !first.checker.remembered(&tag(&first, "0")));
    assert_ne!(tag(&first, "999"), tag(&second, "999"), "the key is always the same");
}

#[test]
fn a_flood_of_wrong_passwords_is_bounded() {
    let authenticator = authenticator();
    block_on(async {
        let wrong = basic("ada:wrong");
        let checks: Vec<_> = (0..60)
            .map(|_| {
                let (authenticator, wrong) = (Arc::clone(&authenticator), wrong.clone());
                tokio::spawn(async move { ask(&authenticator, &wrong).await })
            })
            .collect();
        let mut busy = 0;
        for check in checks {
            let refusal = check.await.unwrap().unwrap_err();
            busy += usize::from(refusal == Refusal::Busy);
        }
        assert!(busy >= 20, "only {busy} were sent away");
        assert!(ask(&authenticator, &basic("ada:wonder:land")).await.is_ok(), "the flood closed the door");
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
