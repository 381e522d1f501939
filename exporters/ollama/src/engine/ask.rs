//! A question to one engine, on 127.0.0.1 and nowhere else.

use std::time::{Duration, Instant};

use aura_model::{Missing, Reason, within};
use aura_net::{http::Client, tls};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::time::sleep;

use super::{Counters, EngineKind, Slot, texts};

/// An engine that works answers within a few milliseconds, also during a long prompt.
pub(crate) const DEADLINE: Duration = Duration::from_millis(500);
/// A slot is 2 KiB at most, the metrics are 4 KiB.
const LONGEST_BODY: usize = 1 << 20;

/// An origin that nobody has.
const STRANGER: HeaderValue = HeaderValue::from_static("http://origin.invalid");

/// What an operator does so that engines tell their counters.
const HOW: &str = "Ollama's engines do not count: run `systemctl edit ollama`, add the lines [Service] and \
                   Environment=LLAMA_ARG_ENDPOINT_METRICS=1, and restart Ollama";

/// Asks one engine.
pub(crate) struct Asker {
    client: Client,
    kind: EngineKind,
    port: u16,
    deadline: Duration,
    /// It said that it does not count: that stays so as long as it lives.
    counts: bool,
    /// Whether it answers pages of any origin, once it was asked.
    any_origin: Option<bool>,
}

/// What an engine said.
pub(crate) struct Answer {
    pub(crate) at: Instant,
    pub(crate) said: Said,
    /// Whether it lets pages of any origin read its answers, where that is known.
    pub(crate) any_origin: Option<bool>,
}

pub(crate) enum Said {
    /// It reads its weights; how far it is, between 0 and 1, where it says so.
    Loading(Option<f64>),
    /// It is ready.
    Ready(Result<Vec<Slot>, Missing>, Result<Counters, Missing>),
    /// Nothing in time, or nobody is there any more.
    Nothing(String),
}

impl Asker {
    /// # Errors
    /// No client can be made.
    pub(crate) fn new(kind: EngineKind, port: u16, deadline: Duration) -> Result<Self, String> {
        let client = client([], deadline)?;
        Ok(Self { client, kind, port, deadline, counts: true, any_origin: None })
    }

    pub(crate) async fn ask(&mut self) -> Answer {
        let deadline = self.deadline;
        let said = within(deadline, sleep, self.said()).await;
        let late = || Said::Nothing(format!("it has not answered within {} ms", deadline.as_millis()));
        Answer { at: Instant::now(), said: said.unwrap_or_else(late), any_origin: self.any_origin }
    }

    async fn said(&mut self) -> Said {
        let said = match self.kind {
            EngineKind::LlamaServer => self.llama_server().await,
            EngineKind::Runner => self.runner().await,
        };
        said.unwrap_or_else(|error| Said::Nothing(error.to_string()))
    }

    /// The counters first: a request that ends between the two questions is then missing for a moment, and not counted
    /// twice.
    async fn llama_server(&mut self) -> Result<Said, aura_net::http::Error> {
        let mut counters = Err(Missing::new(Reason::NotConfigured, HOW));
        if self.counts {
            let (status, body) = self.get("/metrics").await?;
            counters = match status {
                StatusCode::OK => texts::counters(&body).map_err(|error| self.unreadable("/metrics", &error)),
                StatusCode::SERVICE_UNAVAILABLE => return Ok(Said::Loading(None)),
                StatusCode::NOT_IMPLEMENTED => {
                    self.counts = false;
                    counters
                }
                status => Err(self.unreadable("/metrics", status.as_str())),
            };
        }
        let (status, body) = self.get("/slots").await?;
        let slots = match status {
            StatusCode::OK => texts::slots(&body).map_err(|error| self.unreadable("/slots", &error)),
            StatusCode::SERVICE_UNAVAILABLE => return Ok(Said::Loading(None)),
            status => Err(self.unreadable("/slots", status.as_str())),
        };
        if self.any_origin.is_none() {
            self.any_origin = self.answers_strangers().await;
        }
        Ok(Said::Ready(slots, counters))
    }

    /// Asks once as the page of a stranger would.
    async fn answers_strangers(&self) -> Option<bool> {
        let client = client([(header::ORIGIN, STRANGER)], self.deadline).ok()?;
        let response = client.send(Method::GET, &self.url("/health"), None).await.ok()?;
        let allowed = response.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        Some(allowed.is_some_and(|origin| *origin == STRANGER || origin == "*"))
    }

    /// `ollama runner` knows how far it has loaded, and no more.
    async fn runner(&mut self) -> Result<Said, aura_net::http::Error> {
        let (status, body) = self.get("/health").await?;
        if status != StatusCode::OK {
            return Ok(Said::Nothing(format!("/health answered {status}")));
        }
        let nothing = || Missing::new(Reason::NoSensor, "an engine of this kind tells nothing of its work");
        Ok(match texts::health(&body) {
            Some(progress) => Said::Loading(Some(progress)),
            None => Said::Ready(Err(nothing()), Err(nothing())),
        })
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, bytes::Bytes), aura_net::http::Error> {
        self.client.send(Method::GET, &self.url(path), None).await.map(|response| (response.status, response.body))
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn unreadable(&self, path: &str, what: &str) -> Missing {
        let detail = format!("127.0.0.1:{}{path} did not answer as llama-server does: {what}", self.port);
        Missing::new(Reason::Unreadable, detail)
    }
}

/// A connection that is kept would be counted among those of the requests that run.
fn client<const N: usize>(headers: [(HeaderName, HeaderValue); N], deadline: Duration) -> Result<Client, String> {
    let mut headers = HeaderMap::from_iter(headers);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let tls = tls::client(None).map_err(|error| error.to_string())?;
    Client::new(tls, headers, deadline, LONGEST_BODY).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const SLOTS: &str = r#"[{"id":0,"is_processing":false}]"#;

    /// Answers each path with what stands beside it; what was asked.
    async fn engine(
        answers: &'static [(&'static str, u16, &'static str)],
        questions: usize,
    ) -> (Vec<Said>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, mut paths) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                assert!(text.contains("connection: close"), "{text}");
                let path = text.split(' ').nth(1).unwrap().to_owned();
                let Some((_, status, body)) = answers.iter().find(|(known, ..)| *known == path) else {
                    std::future::pending::<()>().await;
                    return;
                };
                asked.send(path).unwrap();
                let origin = text.lines().find_map(|line| line.strip_prefix("origin: ")).unwrap_or_default();
                let response = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\
                     access-control-allow-origin: {origin}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(response.as_bytes()).await.unwrap();
            }
        });
        let deadline = Duration::from_millis(if answers.is_empty() { 50 } else { 20_000 });
        let mut asker = Asker::new(EngineKind::LlamaServer, port, deadline).unwrap();
        let mut said = Vec::new();
        for _ in 0..questions {
            let answer = asker.ask().await;
            let is_ready = matches!(answer.said, Said::Ready(..));
            assert_eq!(answer.any_origin, is_ready.then_some(true), "it reflects the stranger's origin");
            said.push(answer.said);
        }
        paths.close();
        let mut list = Vec::new();
        while let Some(path) = paths.recv().await {
            list.push(path);
        }
        (said, list)
    }

    #[tokio::test]
    async fn one_that_does_not_count_is_asked_for_its_counters_once() {
        let answers = &[("/metrics", 501, "{}"), ("/slots", 200, SLOTS), ("/health", 200, "{}")];
        let (said, asked) = engine(answers, 3).await;
        for said in said {
            let Said::Ready(Ok(slots), Err(missing)) = said else { panic!("ready") };
            assert_eq!((slots.len(), missing.reason), (1, Reason::NotConfigured));
            assert!(
                missing.detail.contains("LLAMA_ARG_ENDPOINT_METRICS=1") && missing.detail.contains("systemctl edit")
            );
        }
        assert_eq!(asked, ["/metrics", "/slots", "/health", "/slots", "/slots"]);
    }

    #[tokio::test]
    async fn loading_silent_and_odd_ones_are_told_apart() {
        let (said, _) = engine(&[("/metrics", 503, "{}")], 1).await;
        assert!(matches!(said[0], Said::Loading(None)));
        let (said, _) =
            engine(&[("/metrics", 200, "no metrics"), ("/slots", 404, "{}"), ("/health", 200, "{}")], 1).await;
        assert!(matches!(&said[0], Said::Ready(Err(slots), Err(counters))
            if slots.reason == Reason::Unreadable && counters.reason == Reason::Unreadable));
        let (said, _) = engine(&[], 1).await;
        assert!(matches!(&said[0], Said::Nothing(_)));
    }
}
