//! The HTTP service: starts runs, shows them and controls them, for those who may.
//!
//! ```text
//!  connection ─▶ listen ─▶ guard ─────────────────────────▶ routes ─▶ handlers ─▶ Engine, Store
//!                (time,     (room, Host, cross-site,                      │
//!                 TLS)       operations, who, body)                       ▼
//!                               ▲                                       show: in the words of vastflow-api
//!                               └── headers, problems, audit ◀────────────┘
//! ```
//!
//! Where to start: [`Service`]; what can be asked, and which right it takes, is the table in `operations`. Everything that
//! weakens a default has to be typed out ([`Service::insecure_no_auth`], [`Service::goflow_hmac`], [`Service::host`]).
//!
//! **Absent:** any rule about what a run does next, any knowledge of drivers, code of users that is deserialised (payloads
//! are bytes), payloads and tokens in log lines.

mod asked;
mod audit;
mod auth;
#[cfg(feature = "dashboard")]
mod dashboard;
mod error;
mod exporter;
mod feed;
mod guard;
mod handlers;
mod kept;
mod lately;
mod limits;
mod list;
mod listen;
mod openapi;
mod operations;
mod origin;
mod pace;
mod problem;
mod rooms;
mod routes;
mod service;
mod show;
mod state;
mod tls;

pub use auth::{Principal, TokenError, Tokens, sign, verify_goflow};
pub use error::ServiceError;
pub use exporter::Exporter;
pub use limits::Limits;
pub use listen::{Ender, Listening};
pub use openapi::json as openapi_json;
pub use problem::CODES;
pub use service::{Given, Service};
/// The JSON that is spoken: rights and tokens are among it.
pub use vastflow_api as api;
/// Who may be told how runs ended: see [`Service::callbacks`].
pub use vastflow_callback as callback;
