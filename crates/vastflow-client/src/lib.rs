//! A typed client of vastflow's HTTP service.
//!
//! ```no_run
//! use serde_json::json;
//! use vastflow_api::run::StartRun;
//! use vastflow_client::Client;
//!
//! # async fn example() -> Result<(), vastflow_client::ClientError> {
//! let client = Client::new("http://127.0.0.1:8080")?.token("vastflow_…");
//! let start = StartRun { flow: "double".into(), input: json!(21), ..StartRun::default() };
//! let id = client.start(start).await?.id;
//! assert!(client.wait(&id).await?.status.is_final());
//! println!("{}", client.output(&id).await?.text());
//! # Ok(()) }
//! ```
//!
//! **What is asked is asked again** when the service is out of reach, busy or slow, up to a limit. That is safe: what starts
//! something carries an id that was chosen here, so that the second time is the same run, the same signal; everything else
//! changes nothing when it is asked twice.
//!
//! **Absent:** types of stores and of the core, any knowledge of flows' code.
//!
//! Start reading at [`Client`]; requests and their repetition are in `http.rs`.

mod client;
mod error;
mod http;
mod stream;

pub use client::{Client, Output, Runs};
pub use error::ClientError;
pub use stream::RunStream;
