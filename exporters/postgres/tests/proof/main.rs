//! What the source does when something between it and a real server goes wrong: the server, the network, rights,
//! passwords, certificates, a pooler. What it shows of a healthy one is compared end to end.

mod announcements;
mod hosts;
mod letters;
mod many_tables;
mod network;
mod outages;
mod passwords;
mod pooler;
mod relay;
mod rights;
mod strangers;
mod tls;
mod watch;
