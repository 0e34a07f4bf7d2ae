//! The guide, page by page. It is written to be read in the repository (`docs/guide`) and stands here so that every
//! snippet of it is compiled and run.

#[doc = include_str!("../../../docs/guide/dag-or-river.md")]
pub mod dag_or_river {}

#[doc = include_str!("../../../docs/guide/dynamic-parts.md")]
pub mod dynamic_parts {}

#[doc = include_str!("../../../docs/guide/errors-and-undo.md")]
pub mod errors_and_undo {}

#[doc = include_str!("../../../docs/guide/at-least-once.md")]
pub mod at_least_once {}

#[doc = include_str!("../../../docs/guide/control.md")]
pub mod control {}

#[doc = include_str!("../../../docs/guide/fleets.md")]
pub mod fleets {}

#[doc = include_str!("../../../docs/guide/command-line.md")]
pub mod command_line {}

#[cfg(feature = "server")]
#[doc = include_str!("../../../docs/guide/service.md")]
pub mod service {}

#[doc = include_str!("../../../docs/guide/in-production.md")]
pub mod in_production {}

#[doc = include_str!("../../../docs/guide/deploy.md")]
pub mod deploy {}

#[doc = include_str!("../../../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../../../docs/guide/changing-flows.md")]
pub mod changing_flows {}

#[doc = include_str!("../../../docs/guide/from-goflow.md")]
pub mod from_goflow {}

#[doc = include_str!("../../../docs/guide/from-vastflow.md")]
pub mod from_vastflow {}
