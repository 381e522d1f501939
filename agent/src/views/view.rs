//! What a view is, and the pump that all views share.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::Router;
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    api::{FeedDescription, Routes},
    config::Config,
    hub::Hub,
    publish::feed::{Feed, Feeds, Live},
};

/// Makes a message, if anybody wants it.
pub(crate) type Make<M> = Box<dyn FnOnce() -> M + Send>;

/// Readings as people want them: takes in what sources have read, and gives the messages of one feed. What is missing in
/// a message, it says itself, and why.
pub(crate) trait View: Send + Sync + 'static {
    /// Its feed: `/ws/<name>` and `/api/<name>`.
    const FEED: FeedDescription;
    /// What its routes are about, for the documentation.
    const ABOUT: &'static str;
    /// The sources that it is made from, by name. It looks at each of their readings, and again when one is late.
    const SOURCES: &'static [&'static str];
    /// It looks again after this time at the latest.
    const LONGEST_WAIT: Duration = Duration::MAX;
    /// What the feed sends, as [`Self::FEED`] describes it.
    type Message: Serialize + 'static;

    /// Takes in what its sources have read, and gives the message that says so, with its number in the feed. None when
    /// there is nothing new to say.
    fn take(self: &Arc<Self>, seq: u64) -> Option<Make<Self::Message>>;

    /// What a client that connects gets instead, where that differs.
    fn greeting(self: &Arc<Self>, _seq: u64) -> Option<Make<Self::Message>> {
        None
    }

    /// Whether the newest message may be shown as fresh. One that says itself what is late always may.
    fn is_fresh(&self) -> bool {
        true
    }

    /// Hears whether anybody listens to the feed.
    fn set_watched(&self, _watched: bool) {}

    /// What is said to a client that sent this; none when it means nothing to the feed. Runs on the feeds' thread, so it
    /// must not wait.
    fn answer(&self, _request: &str) -> Option<String> {
        None
    }

    /// Its routes beside those of the feed.
    fn routes() -> Routes<Arc<Self>> {
        Routes::new()
    }

    /// Puts a configuration in force that was loaded again.
    fn configure(&self, _config: &Config) {}
}

/// Hands a view a configuration that was loaded again.
type Configure = Box<dyn Fn(&Config) + Send + Sync>;

/// The views, their feeds open.
#[derive(Default)]
pub struct Views {
    live: Vec<Live>,
    routes: Router,
    configure: Vec<Configure>,
    pumps: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Views {
    /// Opens the feed of a view.
    pub(super) fn add<V: View>(&mut self, feeds: &Feeds, hub: &Arc<Hub>, view: Arc<V>) {
        let (answering, live, configured) = (Arc::clone(&view), Arc::clone(&view), Arc::clone(&view));
        let feed = feeds.open_replying(V::FEED.name, Some(Box::new(move |request| answering.answer(request))));
        self.live.push(Live { feed: feed.clone(), fresh: Arc::new(move || live.is_fresh()) });
        self.routes = std::mem::take(&mut self.routes).merge(V::routes().with(Arc::clone(&view)));
        self.configure.push(Box::new(move |config| configured.configure(config)));
        self.pumps.push(Box::pin(pump(view, feed, Arc::clone(hub))));
    }

    /// Their feeds.
    pub fn live(&self) -> Arc<[Live]> {
        self.live.clone().into()
    }

    /// Their routes.
    pub fn routes(&self) -> Router {
        self.routes.clone()
    }

    /// Starts to publish, on the event loop that this runs on.
    pub fn start(&mut self) {
        for pump in self.pumps.drain(..) {
            tokio::spawn(pump);
        }
    }

    /// Puts a configuration in force that was loaded again.
    pub fn configure(&self, config: &Config) {
        for configure in &self.configure {
            configure(config);
        }
    }
}

/// Turns readings into messages for as long as the agent runs.
async fn pump<V: View>(view: Arc<V>, feed: Feed, hub: Arc<Hub>) {
    let news = hub.listen(V::SOURCES);
    let mut seq = 1;
    loop {
        if let Some(message) = view.take(seq) {
            if let Some(greeting) = view.greeting(seq) {
                feed.greet(seq, |out| encode::<V>(greeting, out));
            }
            feed.publish(seq, |out| encode::<V>(message, out));
            seq += 1;
        }
        view.set_watched(feed.wanted());
        let wait = hub.next_look(V::SOURCES).min(V::LONGEST_WAIT);
        // A source was heard of, or it is time to see whether one is late: both are looked at in the same way.
        let _ = timeout(wait, news.notified()).await;
    }
}

fn encode<V: View>(message: Make<V::Message>, out: &mut Vec<u8>) {
    if let Err(error) = serde_json::to_writer(out, &message()) {
        tracing::error!("the message of feed {} could not be encoded: {error}", V::FEED.name);
    }
}
